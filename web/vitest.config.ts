import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["widget/**/*.test.{ts,tsx}"],
    environment: "node",
    testTimeout: 10_000,
    // No page is ever fetched: the tests play the frame.
    onConsoleLog: (text) => (text.includes("Iframe page loading is disabled") ? false : undefined),
    environmentOptions: { happyDOM: { settings: { disableIframePageLoading: true, handleDisabledFileLoadingAsSuccess: true } } },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
