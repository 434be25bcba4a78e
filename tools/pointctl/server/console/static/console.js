// A part that loads itself again must not take away what somebody is using.
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.target;
  if (part.id !== "live") return;
  const used =
    part.contains(document.activeElement) ||
    part.querySelector("details[open]") ||
    !document.getSelection().isCollapsed;
  if (used || document.hidden) event.preventDefault();
});
