"""Faults put into the RTL on purpose, one at a time: the checks must notice each."""

from __future__ import annotations

from sim.laws.conservation import BrokenLawError
from sim.rtl.checks.bench import BenchError
from sim.rtl.checks.build import Edit
from sim.rtl.checks.planted import compressor, dispatchers, elements, matrix, resets, timing
from sim.rtl.checks.planted.edited import edited
from sim.rtl.checks.planted.fault import Mutation
from sim.rtl.checks.planted.fault import fault as _one
from sim.rtl.checks.suite import find

ARITHMETIC = "arithmetic 4,000 operands a case"
APU = "APU 1 x 1, groups of 64"
MXU = "MXU 2 x 2, groups of 64"
BPC = "BPC 4 x 4, groups of 16, 2 lanes"
SLICED = "APU, sliced weights of 7 and 8 bits, digits of 4, zero points"
INTEGER = "INT8 PE 1 x 1, groups of 16 in 3 words, zero points"
INTEGER_SLICED = "INT8 x INT4 PE, sliced weights of 7 and 8 bits, zero points"
QUANTISER = "quantiser INT8, 3 lanes"
PLANE_FILL = "plane fill groups of 16"
CACHE_QUANTISER = "quantiser keys and values of 8, 4 and 3 bits, 16 lanes"
CORE = "MXU and BPC 4 x 4, groups of 16, zero points, 2 lanes, 3 output registers"


FEW = 20
"""Cases that notice most faults; where they do not, all of the check are run."""


def caught(mutation: Mutation) -> str | None:
    """How its check sees a fault: a difference, a failed assertion, a broken law; None if it does not."""
    return _noticed(mutation, FEW) or _noticed(mutation, None)


def _noticed(mutation: Mutation, cases: int | None) -> str | None:
    in_time = tuple(edit for edit in mutation.edits if edit.file.endswith(".py"))
    in_rtl = tuple(edit for edit in mutation.edits if edit not in in_time)
    try:
        with edited(in_time):
            compared = find(mutation.check).compare(cases, in_rtl)
    except (BenchError, BrokenLawError, StopIteration) as error:
        return (str(error) or "the simulation ends early").splitlines()[0]
    return next((case.differences[0] for case in compared if case.differences), None)


EARLIER = (
    _one(
        "weights load a cycle late",
        MXU,
        "weight_dispatcher.sv",
        "beat_ready_o = op_valid_i && (!full_q || block_ready_i)",
        "beat_ready_o = op_valid_i && !full_q",
    ),
    _one(
        "the compressor takes a cycle more",
        BPC,
        "bpc.sv",
        "row_fires && row_q == mantissa_bits_i",
        "row_fires && row_q == mantissa_bits_i + 5'd1",
    ),
    _one(
        "exponent beats are not waited for",
        "activation dispatcher 4 rows, 128 b and 5 b",
        "activation_dispatcher.sv",
        "word_first_i && exponent_beats > word_beats ? exponent_beats : word_beats",
        "word_beats",
    ),
    Mutation(
        "planes leave LSB first",
        BPC,
        (
            Edit("bpc_lane.sv", "significand_q[i][10];", "significand_q[i][0];"),
            Edit("bpc_lane.sv", "significand_q[i] << 1", "significand_q[i] >> 1"),
        ),
    ),
    _one("planes are added LSB first", APU, "anda_dot.sv", "(dot_q << 1) + ", "(dot_q >> 1) + "),
    _one("a sign is lost", APU, "anda_dot.sv", "signs_q[i] ? -weight : weight", "weight"),
    _one(
        "-8 is not negated to 8",
        APU,
        "anda_dot.sv",
        "{weights_i[i][WeightBits-1], weights_i[i]}",
        "{weights_i[i][WeightBits-1] && weights_i[i][0], weights_i[i]}",
    ),
    _one("outputs are truncated, not rounded", APU, "fp32_to_fp16.sv", " + 16'(round_up)", ""),
    _one("ties of outputs round up", APU, "fp32_to_fp16.sv", "shifted[14] || |shifted[12:0] || lost", "1'b1"),
    _one(
        "sums are truncated",
        ARITHMETIC,
        "fp32_add.sv",
        "{1'b0, justified[26:4]} + 24'(round_up)",
        "{1'b0, justified[26:4]}",
    ),
    _one("terms are truncated", ARITHMETIC, "fp32_scale.sv", " + 24'(round_up)", ""),
    _one("dot products are truncated", ARITHMETIC, "int_to_fp32.sv", " + 24'(round_up)", ""),
    _one("subnormals get a hidden one", BPC, "bpc_lane.sv", "{group_i[i][14:10] != '0, group_i", "{1'b1, group_i"),
    _one("no wait for an output register", MXU, "mxu.sv", "(!block_op_i.opens_tile || free_q != '0)", "1'b1"),
    _one("no wait for activations", MXU, "mxu.sv", "(!block_op_i.takes_activations || chunk_valid_i)", "1'b1"),
    _one("no wait for a slot of the writer", BPC, "bpc.sv", "left_q == '0 && slot_valid_i;", "left_q == '0;"),
    _one(
        "no wait for room behind the collector",
        "collector 4 x 2, 192 b",
        "collector.sv",
        "(!needs_grant || grant_valid_i)",
        "1'b1",
    ),
    _one(
        "a tile is not opened from zero", MXU, "scale_accumulate.sv", "opens_q[1] ? '0 : accumulator_q", "accumulator_q"
    ),
    _one(
        "gather registers are not cleared",
        CORE,
        "bpc.sv",
        "end else if (handover) begin\n      gather_q <= '0;",
        "end else if (handover) begin\n      gather_q <= gather_q;",
    ),
    _one(
        "a zero point is lost",
        CORE,
        "weight_dispatcher.sv",
        " - WeightBits'(zeros[i/ColumnCodes])",
        " - WeightBits'(0 * zeros[i/ColumnCodes])",
    ),
    _one("all digits count the same", SLICED, "weight_dispatcher.sv", "shift_q + digit_bits_i", "shift_q"),
    _one(
        "digits are never over",
        SLICED,
        "weight_dispatcher.sv",
        "shift_q <= last_digit ? '0 : ",
        "shift_q <= ",
    ),
    _one(
        "digits of an int32 sum count the same",
        INTEGER_SLICED,
        "integer_pe.sv",
        "sum = sum << shift_q",
        "sum = sum << 4'd0",
    ),
    _one("a sum ends with its group", INTEGER, "mxu.sv", "flags.last && last_pass,", "flags.last,"),
    _one("a sum begins with its group", INTEGER, "mxu.sv", "flags.first && first_pass,", "flags.first,"),
    _one(
        "a tile is scaled as the next one's tokens are",
        INTEGER,
        "token_accumulate.sv",
        ".fp16_i(token_scale_q)",
        ".fp16_i(token_scale_i)",
    ),
    _one(
        "tokens are not scaled",
        INTEGER,
        "token_accumulate.sv",
        "assign total_done = valid_q[2] && closes_q[2]",
        "assign total_done = 1'b0",
    ),
    _one(
        "halves are rounded towards zero",
        QUANTISER,
        "quantiser.sv",
        "(9'(doubled) + 9'd1) >> 1",
        "(9'(doubled) + 9'd0) >> 1",
    ),
    _one("a scale is rounded down", QUANTISER, "quantiser.sv", "12'(remainder_q != '0)", "12'd0"),
    _one(
        "the largest of the token before stays",
        QUANTISER,
        "quantiser.sv",
        "last_i) largest_q <= '0;",
        "last_i) largest_q <= largest_q;",
    ),
    _one(
        "keys and values of 3 bits have the scale of 4",
        CACHE_QUANTISER,
        "quantiser.sv",
        "code_bits_i < 4'(Bits) ? code_bits_i",
        "code_bits_i < 4'd4 ? 4'd4 : code_bits_i < 4'(Bits) ? code_bits_i",
    ),
    _one(
        "the reciprocal is rounded down",
        QUANTISER,
        "quantiser.sv",
        "quotient_q + 21'd1",
        "quotient_q",
    ),
    _one("ones begin a weight early", PLANE_FILL, "plane_fill.sv", "place > {cut, 1'b0}", "place >= {cut, 1'b0}"),
    _one("a zero point loses a bit too many", PLANE_FILL, "plane_fill.sv", "zero_i >> raised", "zero_i >> unread_i"),
    _one(
        "every group begins the pattern anew",
        PLANE_FILL,
        "plane_fill.sv",
        "{block_i + 3'(i / 16), 4'(i)}",
        "{3'(i / 16), 4'(i)}",
    ),
    _one("iFPU without its correction", "iFPU PE 2 x 2, groups of 64", "ifpu_pe.sv", "      sum -= mantissa;\n", ""),
    _one(
        "FP-FP adds in another order",
        "FP-FP PE 2 x 2, groups of 64",
        "fp_fp_pe.sv",
        ".b_i(products_q[i])",
        ".b_i(products_q[Lanes-1-i])",
    ),
    _one(
        "FIGNA drops the lowest mantissa bit",
        "FIGNA PE 2 x 2, groups of 64",
        "figna_pe.sv",
        "{1'b0, word[i][MantissaBits-1:0]}",
        "{1'b0, word[i][MantissaBits-1:1], 1'b0}",
    ),
)

MUTATIONS = (
    *EARLIER,
    *dispatchers.FAULTS,
    *matrix.FAULTS,
    *compressor.FAULTS,
    *elements.FAULTS,
    *timing.FAULTS,
    *resets.FAULTS,
)
