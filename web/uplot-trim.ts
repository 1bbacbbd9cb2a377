// uPlot comes as one function that no bundler can shake. What Dozor never asks of it is decided here at build, and what then
// cannot be reached the minifier drops. Each text must be found: a uPlot that looks different fails the build instead of the page.

import type { Plugin } from "vite";

type Edit = [found: string, becomes: string];

const all = (becomes: string, ...found: string[]): Edit[] => found.map((one) => [one, becomes]);

const EDITS: Edit[] = [
  // One mode (aligned columns), x across and y up, linear scales, none derived from another.
  ...all("true", "mode == 1", "scaleX.ori == 0", "sori == 0", "wsc.from == null", "sc.from == null"),
  ...all("false", "mode == 2", "scaleX.ori == 1", "sori == 1", "xScaleDistr == 2", "xScaleDistr == 3", "xScaleDistr == 4"),
  ...all("false", "scale.distr == 2", "scale.distr ==  3", "wsc.distr == 3", "wsc.from != null", "scaleOpts.from != null", "sc.from != null"),
  ...all("false", "scale.dir == -1", "sc.dir == -1", "src.axes[0].side % 2 == 1"),
  ["return (sx.ori == 0", "return (true"],
  ["const dir = scaleX.dir * (true ? 1 : -1);", "const dir = 1;"],
  ...all("false", "sc.distr == 2", "sc.distr == 3", "sc.distr == 4", "sc.distr == 100", "sc.distr >= 3", "distr == 3", "distr == 4", "distr == 100"),
  // The ranges of both scales are functions of ours, both axes have words of ours, and are drawn as lines without ticks.
  ["if (scaleKey != xScaleKey || (false && !isTime)) {", "if (false) {"],
  ["rn || (isTime ? snapTimeX : scaleKey == xScaleKey ?", "rn || (true ? null : false ?"],
  ["else if (scaleX.time)", "else if (true)"],
  ["av || _timeAxisVals", "av"],
  [": av || numAxisVals", ": av"],
  ["isArr(av) && !isArr(av[0])", "false"],
  ...all("false", "isArr(av)", "isStr(av)", "isArr(axis.incrs)"),
  ["axis.label != null", "false"],
  ["axis.labelFont = pxRatioFont(axis.labelFont);", ""],
  ["[axis.font, axis.labelFont].forEach", "[axis.font].forEach"],
  ['const labelFont = "bold " + font;', "const labelFont = null;"],
  [`'12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Noto Sans", sans-serif, "Apple Color Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Noto Color Emoji"'`, "'12px sans-serif'"],
  ['val.indexOf("\\n") == -1 ? [val] : val.split(/\\n/gm)', "[val]"],
  ["axis._rotate * -PI/180", "0"],
  ...all("", "axis._rotate = side == 2 ? axis.rotate(self, values, i, _space) : 0;", "axis.rotate = fnOrSelf(axis.rotate);"),
  ...all("", "labelGap: 0,\n\tlabelSize: 30,\n\tlabelFont,", "log: 10,\n\tasinh: 1,", "axis.ticks.stroke  = fnOrSelf(axis.ticks.stroke);", "axis.border.stroke = fnOrSelf(axis.border.stroke);"),
  ...all("", "case 1: off1 += size; return off1 - size;", "case 0: off0 -= size; return off0 + size;"),
  ...all("", ...["Top", "Rgt", "Btm", "Lft"].map((side, at) => `sidesWithAxes[${at}] = has${side}Axis;`)),
  ...all("false", "axis.align == 1", "axis.align == 2", "axis.alignTo == 2"),
  ...all("false", "ticks.show", "border.show"),
  ["(opts.padding || [autoPadSide,autoPadSide,autoPadSide,autoPadSide]).map(p => fnOrSelf(ifNull(p, autoPadSide)))", "opts.padding.map(p => fnOrSelf(p))"],
  // Nothing is said of dates or figures by uPlot itself.
  ["const numFormatter = new Intl.NumberFormat(domEnv ? nav.language : 'en-US');", "const numFormatter = null;"],
  ["const localTz = new Intl.DateTimeFormat().resolvedOptions().timeZone;", "const localTz = null;"],
  ["const [ timeIncrsMs, _timeAxisStampsMs, timeAxisSplitsMs ] = genTimeStuffs(1);", "const timeIncrsMs = null, _timeAxisStampsMs = null, timeAxisSplitsMs = null;"],
  ["const _timeAxisVals   =", "const _unusedAxisVals = () =>"],
  ["const _timeSeriesVal  =", "const _unusedSeriesVal = () =>"],
  ["oneIncrs.filter(onlyWhole)", "null"],
  ["const days3 = days.map(slice3);", "const days3 = null;"],
  ["const months3 = months.map(slice3);", "const months3 = null;"],
  ["s.label = s.label || (isTime ? timeSeriesLabel : numSeriesLabel);", ""],
  ["genIncrs(2, -53, 53, [1]);", ""],
  ["\t\t_timeAxisStamps,\n\t\ttimeAxisSplits,", "\t\tnull,\n\t\ttimeAxisSplits,"],
  ["s.value = isTime ? (isStr(sv) ? timeSeriesVal(_tzDate, timeSeriesStamp(sv, _fmtDate)) : sv || _timeSeriesVal) : sv || numSeriesVal;", ""],
  ["const ms = opts.ms || 1e-3;", "const ms = 1e-3;"],
  ["ms == 1 ", "false "],
  ["let getEdgeIdxs = log ? positiveIdxs : nonNullIdxs;", "const getEdgeIdxs = nonNullIdxs;"],
  ["let predicate = log ? isPositive : notNullish;", "const predicate = notNullish;"],
  ["const positiveIdxs = makeIndexOfs(isPositive);", ""],
  ["assign({}, facet, {scale: 'x'}),", ""],
  ["assign({}, facet, {scale: 'y'}),", ""],
  ["o instanceof TypedArray", "false"],
  ["const TypedArray = Object.getPrototypeOf(Uint8Array);", ""],
  ["typeof window != 'undefined'", "true"],
  ['typeof queueMicrotask == "undefined"', "false"],
  // No legend, no bands, no focus on a series, no title, no plug-ins, nothing in the way of drawing.
  ["const showLegend = legend.show;", "const showLegend = false;"],
  ["(self.legend = assign({}, legendOpts, opts.legend))", "{}"],
  ...all("", ...["width", "dash", "stroke", "fill"].map((one) => `markers.${one.padEnd(6)} = fnOrSelf(markers.${one});`)),
  ["legend.idx = idx;\n\t\t\tsetLegend();", "shouldSetLegend = false;"],
  ["legend.show && legend.live && shouldSetLegend", "false"],
  ["legend.idxs = activeIdxs;", ""],
  ["self.focus = assign({}, opts.focus || {alpha: 0.3}, cursor.focus)", "{}"],
  ["axis._el = placeDiv(AXIS, wrap);", ""],
  ["if (_el != null) {", "if (false) {"],
  ...all("if (false)", "if (ctxAlpha != s.alpha)", "if (ctxAlpha != _ctxAlpha)"),
  ["if (legend.live) {\n\t\tconst getMultiVals", "if (false) {\n\t\tconst getMultiVals"],
  ["if (legend.live) {\n\t\t\t\tactiveIdxs", "if (true) {\n\t\t\t\tactiveIdxs"],
  ["let multiValLegend = false;", "const multiValLegend = false;"],
  ["let [ bandFillDir, bandClipDir ] = bandFillClipDirs(u, seriesIdx);", "const bandFillDir = 0, bandClipDir = 0;"],
  ["bands.forEach(b => {", "false && [].forEach(b => {"],
  ["flags != 0 && bands.forEach", "false && bands.forEach"],
  ["boundsClip || gapsClip || bandClip", "boundsClip || gapsClip"],
  ["if (bandClip) {", "if (false) {"],
  ["const cursorFocus = focus.prox >= 0;", "const cursorFocus = false;"],
  ["const cursorOnePt = cursorFocus && points.one;", "const cursorOnePt = false;"],
  ["series.some(s => s._focus) && ctxAlpha != focus.alpha", "false"],
  ["if (opts.title) {", "if (false) {"],
  ["(opts.plugins || []).forEach", "false && [].forEach"],
  ["strokePath instanceof Map", "false"],
  ["fillPath instanceof Map", "false"],
  // What is under the pointer: a drag along x alone, told to `setSelect`; never locked, never snapped to what is near.
  ...all("false", "cursor._lock = !cursor._lock", "cursor.lock", "drag.y", "drag.setScale && hasSelect && chgSelect", "uni != null"),
  ["let dragY = false;", "const dragY = false;"],
  ["dragX = dragY = drag._x", "dragX = drag._x"],
  ["dragX = dragY = true;", "dragX = true;"],
  ...all("", "dragY = sdrag._y;", "dragY = false && rawDY >= drag.dist;", "dragY = rawDY >= uni;"),
  ["dragY = true;", ";"],
  ["if (cursor._lock)", "if (false)"],
  ["let withProx = _prox >= 0 && _prox < inf;", "const withProx = false;"],
  ["let _prox = prox(self, seriesIdx, cursorIdx, valAtPosX) ?? inf;", "const _prox = 0;"],
  ["bias == 0 || bias == -1", "true"],
  ["bias == 0 || bias == 1", "true"],
  ["getBBox != null", "false"],
  ["const showCursor =                cursor.show;", "const showCursor = true;"],
  ["select.show", "true"],
  // Plots that move together have the same scales, and at least one line.
  ...all("true", "xSyncKey != null", "ySyncKey != null", "xKeySrc != null", "yKeySrc != null", "xKey != null", "yKey != null"),
  ...all("true", "matchXKeys(xKey, xKeySrc)", "matchYKeys(yKey, yKeySrc)"),
  ...all("true", "syncOpts.filters.pub(type, src, x, y, w, h, i)", "syncOpts.filters.sub(type, src, x, y, w, h, i)"),
  ...all("", "filters: {\n\t\t\tpub: retTrue,\n\t\t\tsub: retTrue,\n\t\t},", "match: [retEq, retEq, seriesIdxMatcher],", "let [matchXKeys, matchYKeys] = syncOpts.match;"),
  ["let seriesIdxMatcher = syncOpts.match[2];", "const seriesIdxMatcher = null;"],
  ["if (syncOpts.match.length == 2)", "if (false)"],
  ...all("if (true)", "if (cursor.x)", "if (cursor.y)"),
  ["sc.min != null || sc.max != null", "false"],
  ["then instanceof HTMLElement", "true"],
  ["if (then) {", "if (true) {"],
  ["+ifNull(opts.pxAlign, 1)", "1"],
  ["+ifNull(s.pxAlign, pxAlign)", "1"],
  ...all("true", "s.pxAlign == 1", "pxAlign == 1"),
  ...all("= round", "= pxRoundGen(pxAlign)", "= pxRoundGen(s.pxAlign)"),
  // The server sends no more points than there are pixels.
  ["const decimate = idx1 - idx0 >= xDim * 4;", "const decimate = false;"],
  ["const rectH = rect(0);", "const rectH = (p, x, y, w, h) => { p.rect(x, y, w, h); };"],
  ["const rectV = rect(1);", ""],
  ["const rect = ori == 0 ? rectH : rectV;", "const rect = rectH;"],
  ["\t\t\tmoveToH,\n\t\t\tlineToH,\n\t\t\trectH,\n\t\t\tarcH,\n\t\t\tbezierCurveToH,\n", ""],
  // What is called from outside otherwise.
  ...all(
    "",
    "self.addSeries = addSeries;",
    "self.delSeries = delSeries;",
    "self.batch = batch;",
    "self.setScale = setScale;",
    "self.setSeries = setSeries;",
    "self.setLegend = setLegend;",
    "self.addBand = addBand;",
    "self.setBand = setBand;",
    "self.delBand = delBand;",
    "self.valToIdx = val => closestIdx(val, data[0]);",
    "self.posToIdx = closestIdxFromXpos;",
  ),
  ...all("", 'fire("addSeries", i);', 'fire("setData");', 'fire("setSize");', 'fire("setScale", k);', 'fire("drawSeries", i);', 'fire("drawAxes");'),
  ...all("", 'fire("ready");', 'fire("destroy");', 'fire("syncRect", rect);', 'fire("init", opts, data);'),
  ['_fire !== false && fire("setLegend");', ""],
  ["self.redraw =", "const redraw ="],
  ["self.setCursor =", "const _setCursor ="],
  ['events["setSeries"] =', "const _setSeriesEvent ="],
];

/** A path of drawing that is not asked for: steps, bars, splines and joins go with all that follows this. */
const TAIL = "uPlot.assign = assign;";

export const trimUPlot: Plugin = {
  name: "trim-uplot",
  transform(code, id) {
    if (!id.endsWith("uPlot.esm.js")) return null;
    const need = (text: string, part: string): void => {
      if (!text.includes(part)) throw new Error(`uPlot has changed: look at uplot-trim.ts anew, it does not find ${JSON.stringify(part)}`);
    };
    need(code, TAIL);
    let kept = code.slice(0, code.indexOf(TAIL));
    for (const [found, becomes] of EDITS) {
      need(kept, found);
      kept = kept.replaceAll(found, becomes);
    }
    return { code: `${kept}uPlot.sync = _sync;\nexport { uPlot as default };\n`, map: null };
  },
};
