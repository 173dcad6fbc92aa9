// Looks at pages as people do: wide and narrow, light and dark, in a real browser, with axe looking over its shoulder.
// node look.mjs MODULES BROWSER RESOLVER-RULES [--pictures DIR] URL...; prints what is wrong, as JSON.
// A URL that ends with #code=STATUS is visited as the gateway visits it that gives up with this status.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, browserPath, rules, ...rest] = process.argv.slice(2);
const pictures = rest[0] === "--pictures" ? rest.splice(0, 2)[1] : undefined;
const require = createRequire(modules + "/");
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await puppeteer.launch({
  executablePath: browserPath,
  acceptInsecureCerts: true,
  args: ["--no-sandbox", "--disable-gpu", `--host-resolver-rules=${rules}`],
});
const wrong = [];
try {
  for (const [width, scheme] of [[1280, "light"], [390, "dark"]]) {
    const page = await browser.newPage();
    page.on("console", (message) => {
      // A browser says of every page with an error status that it could not be loaded, and of its icon too.
      const place = new URL(message.location().url ?? "", page.url());
      const own = place.href.split("#")[0] === page.url().split("#")[0] || place.pathname === "/favicon.ico";
      const expected = own && message.text().includes("status of");
      if (message.type() === "error" && !expected) wrong.push({ url: page.url(), rule: "console", help: `${message.text()} (${place.href})` });
    });
    page.on("pageerror", (error) => wrong.push({ url: page.url(), rule: "script", help: String(error) }));
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const [at, url] of rest.entries()) {
      const code = /#code=(\d+)$/.exec(url)?.[1];
      await page.setExtraHTTPHeaders(code ? { "x-code": code } : {});
      await page.goto(url, { waitUntil: "load" });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (overflow > 0) wrong.push({ url, width, rule: "overflow", help: `the page is ${overflow} px wider than the screen` });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
      for (const { id, help, nodes } of violations) {
        wrong.push({ url, width, scheme, rule: id, help, html: nodes.slice(0, 3).map((node) => node.html) });
      }
      if (pictures) await page.screenshot({ path: `${pictures}/${at}-${width}-${scheme}.png`, fullPage: true });
    }
    await page.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(wrong, null, 1));
