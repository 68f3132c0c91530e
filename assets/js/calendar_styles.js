// FullCalendar writes its styles at run time, among them an icon font from a data: address, which our CSP refuses (and we
// draw no icon with). So it finds a style element of ours, imported before it, that leaves that one rule out.
if (!document.querySelector("style[data-fullcalendar]")) {
  const style = document.createElement("style");
  style.setAttribute("data-fullcalendar", "");
  document.head.prepend(style); // before our own sheet, which has the last word
  const { sheet } = style;
  const insert = sheet.insertRule.bind(sheet);
  sheet.insertRule = (rule, index = 0) =>
    rule.trimStart().startsWith("@font-face") ? index : insert(rule, Math.min(index, sheet.cssRules.length));
}
