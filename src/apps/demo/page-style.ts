/** The demo page's style sheet. Colours are pairs for light and dark, each at least 4.5 to 1 on its ground (WCAG 2.2, 1.4.3). */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f6f5f0; --card: #ffffff; --text: #22241f; --soft: #5c6055; --line: #dddbd0;
  --accent: #37702c; --on-accent: #ffffff; --gold: #d99a1c; --well: #f1f0e9; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15170f; --card: #1e2118; --text: #eceade; --soft: #a9ac9c; --line: #34382b;
    --accent: #8fce7c; --on-accent: #10200b; --gold: #e8b341; --well: #14160f; --bad: #ff9d94;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
.top, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
.top { padding-top: 2.25rem; }
.brand { display: flex; gap: 1rem; align-items: center; }
.brand p { margin: 0; color: var(--soft); }
.mark { width: 3.5rem; height: 3.5rem; flex: none; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 { margin: 0; font-size: 1.1rem; }
.facts { display: flex; flex-wrap: wrap; gap: 0.5rem 2.25rem;
  margin: 1.5rem 0; padding: 0.9rem 0; border: solid var(--line); border-width: 1px 0; }
.facts dt { color: var(--soft); font-size: 0.8rem; }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 1.25rem; }
.card { display: flex; flex-direction: column; min-width: 0; padding: 1.1rem 1.25rem 1.25rem;
  background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; }
.card > header { display: flex; justify-content: space-between; align-items: baseline; gap: 1rem; }
.card > p { margin: 0.25rem 0 0.75rem; color: var(--soft); }
.route { color: var(--soft); font-size: 0.85rem; white-space: nowrap; }
label { font-size: 0.85rem; color: var(--soft); }
textarea { width: 100%; padding: 0.5rem 0.65rem; color: inherit; background: var(--well);
  border: 1px solid var(--soft); border-radius: 0.4rem; font: 0.9rem/1.45 ui-monospace, monospace; resize: vertical; }
.buttons { display: flex; gap: 0.5rem; margin: 0.5rem 0; }
button { padding: 0.4rem 1rem; font: inherit; font-weight: 600; color: var(--on-accent); background: var(--accent);
  border: 1px solid var(--accent); border-radius: 0.4rem; cursor: pointer; }
button[id$="-stop"] { color: var(--text); background: transparent; border-color: var(--soft); }
button:disabled { opacity: 0.45; cursor: default; }
:focus-visible { outline: 3px solid var(--gold); outline-offset: 2px; }
.status { margin: 0.25rem 0; font-size: 0.9rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.card .status { margin: 0.25rem 0; }
.status.bad { color: var(--bad); }
pre { margin: 0; font: 0.85rem/1.5 ui-monospace, monospace; }
.output { height: 8.5rem; padding: 0.5rem 0.65rem; overflow: auto; background: var(--well); border-radius: 0.4rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.card .output { flex: 1 0 auto; }
footer .output { height: auto; white-space: pre; background: var(--card); border: 1px solid var(--line); }
.with-ring { display: grid; grid-template-columns: 6rem minmax(0, 1fr); gap: 1rem; flex: 1 0 auto; }
.with-ring > div { display: flex; flex-direction: column; }
.ring { width: 6rem; height: 6rem; align-self: center; transform: rotate(-90deg); }
.ring circle { fill: none; stroke-width: 9; }
.ring .track { stroke: var(--line); }
.ring .filled { stroke: var(--gold); }
.command { margin-top: 0.75rem; padding-top: 0.75rem; border-top: 1px solid var(--line); color: var(--soft); overflow-x: auto; }
.command::before { content: "$ "; }
footer { padding-top: 1.75rem; padding-bottom: 3rem; }
footer h2 { margin-bottom: 0.5rem; }
footer p { color: var(--soft); }
footer code, .route { font-family: ui-monospace, monospace; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 0.5rem; }
@media (max-width: 30rem) {
  .with-ring { grid-template-columns: minmax(0, 1fr); }
  .brand { align-items: flex-start; }
}
`;
