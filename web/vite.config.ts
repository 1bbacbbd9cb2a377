import { defineConfig, type Plugin } from "vite";

// uPlot comes as one function that no bundler can shake: what Dozor never uses (its own legend, bars, steps, splines, joins,
// formats of dates) is cut off by hand, a sixth of it. A uPlot that looks different fails the build instead of the page.
const trimUPlot: Plugin = {
  name: "trim-uplot",
  transform(code, id) {
    if (!id.endsWith("uPlot.esm.js")) return null;
    const tail = code.indexOf("uPlot.assign = assign;");
    const legend = "const showLegend = legend.show;";
    if (tail < 0 || !code.includes(legend)) throw new Error("uPlot has changed: look at trim-uplot in vite.config.ts anew");
    const kept = code.slice(0, tail).replace(legend, "const showLegend = false;");
    return { code: `${kept}uPlot.sync = _sync;\nexport { uPlot as default };\n`, map: null };
  },
};

// The page is served below any path, so all addresses in it are relative. Dozor's own server writes the document around it.
export default defineConfig({
  base: "./",
  plugins: [trimUPlot],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    manifest: true,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // Three files: what each page needs, the charts, and the pages that are not opened in a hurry. More would be larger together.
    rolldownOptions: {
      input: "src/main.tsx",
      output: {
        entryFileNames: "app-[hash].js",
        chunkFileNames: "part-[hash].js",
        assetFileNames: "app-[hash][extname]",
        advancedChunks: {
          includeDependenciesRecursively: false,
          groups: [
            { name: "plot", test: /uplot|components\/plot/i, priority: 2 },
            { name: "more", test: /src\/(pages\/(more|pools|queries|redis|http|host|rules|explore|settings)|components\/(code-lines|heat-map|meter|plan|promql-input|stalls|workbench|listing|columns))/, priority: 1 },
            { name: "base", test: /node_modules|src\//, priority: 0 },
          ],
        },
      },
    },
  },
});
