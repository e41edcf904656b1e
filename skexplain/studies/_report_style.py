"""How the HTML report of the studies looks: on a screen, on a phone, in the dark, on paper."""

STYLE = """\
:root { color-scheme: light dark; --text: #1b1f24; --faint: #5b6470; --page: #fff; --box: #f5f7f9;
  --line: #d9dee4; --accent: #0067a3; --shade: #0003; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e7ea; --faint: #9aa4af; --page: #14171a; --box: #1e2327; --line: #343b42;
    --accent: #6cbcf0; --shade: #000a; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 66rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 .3rem; }
h3 { font-size: 1rem; margin: 1.8rem 0 .5rem; }
p { margin: .4rem 0; max-width: 46rem; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: .15em; }
header p, footer, .source, table + p, nav span { color: var(--faint); }
footer, table + p { font-size: .85rem; }
nav { margin: 1.2rem 0 0; padding: .6rem 1rem; background: var(--box); border-radius: .5rem; }
nav ol { margin: 0; padding-left: 1.6rem; }
nav li { margin: .2rem 0; }
nav span { font-size: .85rem; margin-left: .4rem; }
.incomplete { border-left: .3rem solid #d55e00; padding-left: .8rem; font-weight: 600; }
article { margin-top: 2.5rem; padding-top: 1.8rem; border-top: 1px solid var(--line); }
figure { margin: 1.2rem 0; padding: .5rem; overflow-x: auto; background: #fff;
  border: 1px solid var(--line); border-radius: .5rem; }
img { display: block; height: auto; max-width: max(100%, 34rem); margin: 0 auto; }
table { display: block; width: fit-content; max-width: 100%; max-height: 85vh; overflow: auto;
  border: 1px solid var(--line); border-radius: .5rem; border-spacing: 0; font-size: .85rem;
  font-variant-numeric: tabular-nums;
  /* A shade at the side on which there is more to scroll to. */
  background: linear-gradient(to right, var(--page) 40%, transparent) 0 0 / 3rem 100% local,
    linear-gradient(to left, var(--page) 40%, transparent) 100% 0 / 3rem 100% local,
    linear-gradient(to right, var(--shade), transparent) 0 0 / .8rem 100% scroll,
    linear-gradient(to left, var(--shade), transparent) 100% 0 / .8rem 100% scroll;
  background-repeat: no-repeat; }
th, td { padding: .3rem .8rem; text-align: left; white-space: nowrap; }
thead th { position: sticky; top: 0; background: var(--box); font-weight: 600;
  vertical-align: bottom; }
tbody td { border-top: 1px solid var(--line); }
tbody tr:hover { background: var(--box); }
dl { margin: 1.8rem 0 0; padding: .6rem 1rem; background: var(--box); border-radius: .5rem;
  font-size: .85rem; }
dl div { display: flex; flex-wrap: wrap; gap: 0 .8rem; padding: .1rem 0; }
dt { flex: 0 0 8.5rem; color: var(--faint); }
dd { flex: 1 1 16rem; margin: 0; }
code { font: .92em ui-monospace, monospace; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
@media print {
  :root { --text: #000; --faint: #444; --page: #fff; --box: #f5f7f9; --line: #ccc;
    --accent: #000; color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  article { break-before: page; border-top: 0; padding-top: 0; margin-top: 0; }
  h2, h3, thead { break-after: avoid; }
  figure, tr, dl { break-inside: avoid; }
  figure { border: 0; padding: 0; overflow: visible; }
  img { max-width: 100%; max-height: 20cm; object-fit: contain; }
  table { display: table; width: auto; background: none; max-height: none; font-size: 6.5pt; }
  th, td { padding: .15rem .3rem; white-space: normal; }
}
"""
