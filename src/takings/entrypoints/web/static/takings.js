// Draws each chart from the table beside it, and updates the page while batches run. Without it, the tables show everything.

const root = document.documentElement;
const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
const isDark = () => getComputedStyle(root).colorScheme.includes("dark");
const isNarrow = () => window.innerWidth < 640;
const people = (value) => Number(value).toLocaleString("en", { maximumFractionDigits: 2 });
const cents = (value) => Number(value).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const brief = (value) => Number(value).toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
const shortDay = (day) => new Date(`${day}T00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
const longDay = (day) =>
  new Date(`${day}T00:00Z`).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

// ---- Pictures

const rowsOf = (table) => [...table.tBodies[0].rows];
const valuesOf = (row) => [...row.cells].slice(1).map((cell) => (cell.dataset.v === undefined ? null : Number(cell.dataset.v)));

function common() {
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches && !drawnBefore,
    animationDuration: 350,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colour("soft") },
    tooltip: {
      renderMode: "richText",
      backgroundColor: colour("card"),
      borderColor: colour("line"),
      borderWidth: 1,
      padding: [10, 14],
      textStyle: { color: colour("ink"), fontSize: 13, lineHeight: 20 },
      confine: true,
    },
  };
}

// The width that labels need; the grid depends on it.
function roomFor(texts, size, most = Infinity) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
  return Math.ceil(Math.min(most, Math.max(0, ...texts.map((text) => pen.measureText(text).width)))) + 12;
}

const axisLook = () => ({
  axisLine: { lineStyle: { color: colour("line") } },
  axisTick: { show: false },
  axisLabel: { color: colour("soft"), fontSize: 12 },
  splitLine: { lineStyle: { color: colour("line") } },
});

const dashed = (name) => ({ color: colour("card"), borderColor: colour(name), borderType: "dashed", borderWidth: 1 });
const hatched = () => ({
  ...dashed("accent"),
  decal: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 3], rotation: -Math.PI / 4, color: colour("accent") },
});

const drawings = {
  // Revenue per day: the net part is darker, and a day that is not over is hatched.
  days(table) {
    const rows = rowsOf(table);
    const days = rows.map((row) => row.dataset.day);
    const open = rows.map((row) => row.dataset.unfinished === "true");
    const [revenue, net] = [0, 1].map((place) => rows.map((row) => valuesOf(row)[place]));
    const bar = (value, isOpen, look) => ({ value, itemStyle: isOpen ? look : undefined });
    return {
      ...common(),
      grid: { left: 38, right: 2, top: 14, bottom: 26 },
      tooltip: {
        ...common().tooltip,
        trigger: "axis",
        axisPointer: { type: "shadow", shadowStyle: { color: colour("hover"), opacity: 0.8 } },
        formatter: ([first]) => {
          const place = first.dataIndex;
          const note = open[place] ? "\nnot over yet" : "";
          return `${longDay(days[place])}\nRevenue  ${cents(revenue[place])}\nNet  ${cents(net[place])}${note}`;
        },
      },
      xAxis: {
        type: "category",
        data: days,
        ...axisLook(),
        axisLabel: { ...axisLook().axisLabel, formatter: shortDay, hideOverlap: true },
      },
      yAxis: { type: "value", ...axisLook(), axisLabel: { ...axisLook().axisLabel, formatter: brief }, splitNumber: 4 },
      series: [
        {
          name: "Net",
          type: "bar",
          stack: "day",
          barMaxWidth: 34,
          barCategoryGap: days.length > 60 ? "15%" : "32%",
          cursor: "pointer",
          itemStyle: { color: colour("accent") },
          data: net.map((value, place) => bar(value, open[place], hatched())),
        },
        {
          name: "Returned and cancelled",
          type: "bar",
          stack: "day",
          cursor: "pointer",
          itemStyle: { color: colour("accent-soft"), borderRadius: days.length > 60 ? 0 : [3, 3, 0, 0] },
          data: revenue.map((value, place) => bar(value - net[place], open[place], dashed("accent-soft"))),
        },
      ],
      links: (event) => rows[event.dataIndex].querySelector("a")?.href,
    };
  },

  categories(table) {
    const rows = rowsOf(table).slice(0, 12).reverse();
    const names = rows.map((row) => row.dataset.name);
    const width = isNarrow() ? 108 : 176;
    return {
      ...common(),
      grid: { left: roomFor(names, 13, width), right: 48, top: 0, bottom: 0 },
      tooltip: {
        ...common().tooltip,
        trigger: "item",
        formatter: ({ dataIndex }) => {
          const [revenue, net] = valuesOf(rows[dataIndex]);
          return `${rows[dataIndex].dataset.name}\nRevenue  ${cents(revenue)}\nNet  ${cents(net)}`;
        },
      },
      xAxis: { type: "value", show: false, max: "dataMax" },
      yAxis: {
        type: "category",
        data: names,
        axisLine: { show: false },
        axisTick: { show: false },
        axisLabel: { color: colour("ink"), fontSize: 13, width, overflow: "truncate" },
      },
      series: [
        {
          type: "bar",
          barWidth: 14,
          cursor: "pointer",
          showBackground: true,
          backgroundStyle: { color: colour("hover"), borderRadius: 4 },
          itemStyle: { color: colour("accent"), borderRadius: 4 },
          label: { show: true, position: "right", color: colour("soft"), fontSize: 12, formatter: ({ value }) => brief(value) },
          data: rows.map((row) => valuesOf(row)[0]),
        },
      ],
      links: (event) => rows[event.dataIndex].querySelector("a")?.href,
    };
  },

  heat(table) {
    const days = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.dataset.v);
    const rows = rowsOf(table);
    const names = rows.map((row) => row.dataset.name);
    const cells = rows.flatMap((row, y) => valuesOf(row).map((value, x) => [x, y, value ?? 0]));
    const most = Math.max(...cells.map((cell) => cell[2]), 1);
    const steps = isDark() ? ["#1f2421", "#21483f", "#2f7a69", "#55bfa6", "#a9e3d3"] : ["#f4f2ec", "#cbe5dc", "#85c3b2", "#35907c", "#084e41"];
    return {
      ...common(),
      grid: { left: roomFor(names, isNarrow() ? 11 : 12, isNarrow() ? 92 : 176), right: 2, top: 0, bottom: 24 },
      tooltip: {
        ...common().tooltip,
        formatter: ({ value: [x, y, value] }) => `${names[y]}\n${longDay(days[x])}\nRevenue  ${cents(value)}`,
      },
      xAxis: {
        type: "category",
        data: days,
        ...axisLook(),
        axisLine: { show: false },
        axisLabel: { ...axisLook().axisLabel, formatter: shortDay, hideOverlap: true },
      },
      yAxis: {
        type: "category",
        data: names,
        inverse: true,
        axisLine: { show: false },
        axisTick: { show: false },
        axisLabel: { color: colour("ink"), fontSize: isNarrow() ? 11 : 12, width: isNarrow() ? 92 : 176, overflow: "truncate", interval: 0 },
      },
      visualMap: { min: 0, max: most, show: false, inRange: { color: steps } },
      series: [
        {
          type: "heatmap",
          cursor: "pointer",
          data: cells,
          itemStyle: { borderColor: colour("card"), borderWidth: days.length > 60 || isNarrow() ? 0.5 : 2, borderRadius: isNarrow() ? 1 : 3 },
          emphasis: { itemStyle: { borderColor: colour("ink"), borderWidth: 1 } },
        },
      ],
      links: ({ value: [x, y] }) => rows[y].cells[x + 1].querySelector("a")?.href,
    };
  },

  // A column of one of the shop's own KPI tables: a line for each of the keys with most of it.
  measure(table) {
    const found = drawings.rules(table);
    const lines = found.series.map(({ name, data }) => ({ name, data, type: "line", symbolSize: 6 }));
    return { ...found, yAxis: { ...found.yAxis, minInterval: undefined, scale: true }, series: lines };
  },

  rules(table) {
    const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim());
    const rows = rowsOf(table);
    const days = rows.map((row) => row.dataset.day);
    const light = ["#a83224", "#d98b3a", "#7a6bb0", "#3f7fb5", "#0d6656", "#a09d95"];
    const dark = ["#f0998b", "#e3b06a", "#b3a6e0", "#85b8e3", "#55bfa6", "#77766f"];
    return {
      ...common(),
      color: isDark() ? dark : light,
      grid: { left: 38, right: 2, top: 14, bottom: isNarrow() ? 118 : 66 },
      legend: { bottom: 0, left: 0, icon: "roundRect", itemWidth: 11, itemHeight: 11, itemGap: 16, textStyle: { color: colour("soft"), fontSize: 12 } },
      tooltip: {
        ...common().tooltip,
        trigger: "axis",
        axisPointer: { type: "shadow", shadowStyle: { color: colour("hover"), opacity: 0.8 } },
        formatter: (found) =>
          [longDay(days[found[0].dataIndex]), ...found.filter((each) => each.value).map((each) => `${each.seriesName}  ${people(each.value)}`)].join("\n"),
      },
      xAxis: { type: "category", data: days, ...axisLook(), axisLabel: { ...axisLook().axisLabel, formatter: shortDay, hideOverlap: true } },
      yAxis: { type: "value", minInterval: 1, ...axisLook(), axisLabel: { ...axisLook().axisLabel, formatter: brief }, splitNumber: 4 },
      series: names.map((name, place) => ({ name, type: "bar", stack: "day", barMaxWidth: 34, data: rows.map((row) => valuesOf(row)[place]) })),
    };
  },
};

let drawn = [];
let drawnBefore = false;

function draw() {
  drawn.forEach((chart) => chart.dispose());
  drawn = [];
  if (!window.echarts) return;
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const canvas = figure.querySelector(".canvas");
    const lines = figure.querySelectorAll("tbody tr").length;
    if (canvas.classList.contains("tall")) canvas.style.height = `${Math.min(Math.max(24 * lines + 40, 150), isNarrow() ? 560 : 700)}px`;
    const { links, ...options } = drawings[figure.dataset.chart](figure.querySelector("table"));
    const chart = window.echarts.init(canvas, null, { renderer: "canvas" });
    chart.setOption(options);
    if (links) chart.on("click", (event) => { const target = links(event); if (target) location.assign(target); });
    drawn.push(chart);
  }
  drawnBefore = true;
  root.dataset.drawn = String(drawn.length);
}

// ---- Choosing

function listen() {
  const theme = document.querySelector(".theme");
  theme?.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    root.dataset.theme = next;
    try { localStorage.setItem("takings-theme", next); } catch { /* it lasts as long as the page */ }
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    draw();
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("form.choose input[type=date], form.choose select")) event.target.form.requestSubmit();
  });
  document.addEventListener("click", (event) => {
    for (const pick of document.querySelectorAll("details.pick[open]")) if (!pick.contains(event.target)) pick.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const pick = document.querySelector("details.pick[open]");
    if (pick) { pick.open = false; pick.querySelector("summary").focus(); }
  });
}

// ---- What happens meanwhile

const STEPS = { forming: "Forming", validating: "Validating", merging: "Merging into the lake", publishing: "Publishing", archiving: "Archiving originals" };
const WEIGHTS = { forming: [0, 0.03], validating: [0.03, 0.6], merging: [0.6, 0.8], publishing: [0.8, 0.92], archiving: [0.92, 1] };
let seen = null;

function show(state) {
  const pulse = document.querySelector(".pulse");
  const running = document.querySelector(".running");
  const words = { IDLE: state.pending ? `${people(state.pending)} pending` : "Idle", WAITING: `${people(state.pending)} pending, waiting`, FORMING: "Running", RUNNING: "Running", BLOCKED: "Blocked", UNREADABLE: "Unreadable" };
  pulse.dataset.state = state.state;
  pulse.textContent = words[state.state] ?? state.state;
  pulse.title = state.reason ?? "";
  running.hidden = !state.step;
  if (state.step) {
    const [from, to] = WEIGHTS[state.step];
    running.querySelector("progress").value = from + (to - from) * (state.of ? state.done / state.of : 0);
    const of = ["validating", "archiving"].includes(state.step) ? `, ${state.done} of ${state.of} files` : "";
    running.querySelector(".what").textContent = STEPS[state.step] + of;
    const link = running.querySelector("a");
    link.href = `/batches/${encodeURIComponent(state.batch_id)}`;
    link.textContent = state.batch_id;
  }
}

function say(text) {
  document.querySelector("#said").textContent = text;
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const open = [...document.querySelectorAll("main details[open]")].map((each) => each.id);
  const focused = document.activeElement?.id;
  document.querySelector("main").replaceWith(fresh.querySelector("main"));
  document.querySelector("footer").replaceWith(fresh.querySelector("footer"));
  for (const id of open) { const found = id && document.getElementById(id); if (found) found.open = true; }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  draw();
  fill();
}

// Do not reload a page while somebody is choosing on it.
const isBusy = () => Boolean(document.querySelector("details.pick[open]")) || document.activeElement?.matches("main input");

async function react(state) {
  show(state);
  const before = seen;
  seen = state;
  if (!before) {
    if (root.dataset.version && state.version && root.dataset.version !== state.version) await refresh();
    return;
  }
  const stepped = ["batches", "files"].includes(root.dataset.page) && (before.step !== state.step || before.done !== state.done);
  const changed = before.version !== state.version || before.batch_id !== state.batch_id || before.state !== state.state;
  if (before.step && !state.step) say(`A batch has ended. The numbers on this page are up to date.`);
  if (!before.step && state.step) say("A batch has begun.");
  if ((changed || stepped) && !isBusy()) await refresh();
}

function follow() {
  const events = new EventSource("/live");
  events.addEventListener("state", (event) => { react(JSON.parse(event.data)); });
  events.addEventListener("open", () => { root.dataset.live = "true"; });
  events.addEventListener("error", () => {
    const pulse = document.querySelector(".pulse");
    pulse.dataset.state = "LOST";
    pulse.textContent = "No connection";
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  });
  window.addEventListener("pagehide", () => events.close(), { once: true });
}

// ---- Parts that take a moment

async function fill() {
  for (const part of document.querySelectorAll("[data-part]")) {
    const answer = await fetch(part.dataset.part, { headers: { accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    part.replaceChildren(...fresh.querySelector("main").childNodes);
  }
  root.dataset.filled = "true";
}

listen();
draw();
fill();
follow();
