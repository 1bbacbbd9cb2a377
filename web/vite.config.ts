import { defineConfig, type Plugin } from "vite";
import { trimUPlot } from "./uplot-trim.ts";

// The part that is loaded later is one file, which needs nothing but the first: there is nothing to preload.
const loadPlainly: Plugin = {
  name: "load-plainly",
  enforce: "pre",
  load: (id) => (id === "\0vite/preload-helper.js" ? "export const __vitePreload = (load) => load();" : null),
};

// The page is served below any path, so all addresses in it are relative. Dozor's own server writes the document around it.
export default defineConfig({
  base: "./",
  plugins: [trimUPlot, loadPlainly],
  oxc: { jsx: { runtime: "classic", pragma: "h", pragmaFrag: "Fragment" }, jsxInject: 'import { h, Fragment } from "preact";' },
  // Signals as they are written today, not as they were for browsers of long ago.
  resolve: { conditions: ["module", "import"] },
  build: {
    target: "es2022",
    manifest: true,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // Two files: the pages, and the charts, which come when the verdict is there. More would be larger together.
    rolldownOptions: {
      input: "src/main.tsx",
      output: {
        entryFileNames: "app-[hash].js",
        chunkFileNames: "part-[hash].js",
        assetFileNames: "app-[hash][extname]",
      },
    },
  },
});
