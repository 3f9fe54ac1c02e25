// Each figure's data stands beside it, in the element that plotly.js is to draw in.
for (const script of document.querySelectorAll("figure script")) {
  const figure = JSON.parse(script.textContent);
  Plotly.newPlot(script.previousElementSibling, figure.data, figure.layout, {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    plotlyServerURL: "",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  });
}
