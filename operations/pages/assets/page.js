// Draws the figures that stand beside this script, in the colours of the page, and again when its scheme changes.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const probe = document.createElement("canvas").getContext("2d");
  const colour = (name, opacity) => {
    const value = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    if (opacity === undefined) return value;
    probe.fillStyle = value;
    const [red, green, blue] = [1, 3, 5].map((at) => parseInt(probe.fillStyle.slice(at, at + 2), 16));
    return `rgba(${red},${green},${blue},${opacity})`;
  };
  const coloured = (part) => {
    if (typeof part === "string") {
      const match = /^var\((--[\w-]+)\)(?:\/([\d.]+))?$/.exec(part);
      if (match) return colour(match[1], match[2]);
      return part === "inherit" ? getComputedStyle(document.body).fontFamily : part;
    }
    if (Array.isArray(part)) return part.map(coloured);
    if (part && typeof part === "object") {
      return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, coloured(value)]));
    }
    return part;
  };
  const draw = () => {
    for (const [id, figure] of Object.entries(figures)) {
      const { data, layout } = coloured(figure);
      Plotly.react(id, data, layout, { displayModeBar: false, responsive: true });
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
