"""Text becomes HTML by being escaped; HTML is not escaped twice."""

import json

from hypothesis import given
from hypothesis import strategies as st

from sim.report.markup import Html, data, join, table, tag


def test_text_is_escaped_and_html_is_kept():
    assert tag("p", "a < b & c", Html("<br>")) == "<p>a &lt; b &amp; c<br></p>"
    assert tag("p", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;"></p>'
    assert tag("p", tag("b", "<"), class_="note", aria_label="x") == '<p class="note" aria-label="x"><b>&lt;</b></p>'
    assert join(["<", tag("b")]) == "&lt;<b></b>"


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_data_ends_where_its_element_ends_and_reads_back(value):
    element = data([value, "</script><!--<script>"])
    inside = element.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert "<" not in inside
    assert json.loads(inside) == [value, "</script><!--<script>"]


def test_numbers_stand_to_the_right_and_words_to_the_left():
    text = table(("name", "cycles"), [["<a>", "1"]])
    assert '<td class="word">&lt;a&gt;</td><td class="number">1</td>' in text
    assert '<th class="word" scope="col">name</th>' in text
