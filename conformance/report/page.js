
(function () {
  "use strict";
  var form = document.querySelector(".filter");
  var checks = Array.prototype.slice.call(document.querySelectorAll(".check"));
  var groups = Array.prototype.slice.call(document.querySelectorAll(".group"));
  var told = form.querySelector("output");
  var search = form.elements.text;
  form.hidden = false;

  function filter() {
    var words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    var shown = 0;
    checks.forEach(function (check) {
      if (words.length && check.words === undefined) check.words = check.textContent.toLowerCase();
      check.hidden = !form.elements[check.dataset.outcome].checked ||
        !words.every(function (word) { return check.words.indexOf(word) >= 0; });
      if (!check.hidden) shown++;
    });
    groups.forEach(function (group) { group.hidden = !group.querySelector(".check:not([hidden])"); });
    told.textContent = shown === checks.length ? "" : shown === 0 ? "No check matches." : shown + " of " + checks.length + " checks";
  }

  function go() {
    var check;
    try { check = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch (_) { return; }
    if (!check || !check.classList.contains("check")) return;
    if (check.hidden) { form.reset(); filter(); }
    check.open = true;
    check.scrollIntoView();
    check.querySelector("summary").focus({ preventScroll: true });
  }

  // indent puts a JSON text on lines, also one that was cut short, and changes
  // nothing in it.
  function indent(text) {
    var deep = 0;
    function line() { return "\n" + "  ".repeat(Math.max(deep, 0)); }
    var end = (/… \(\d+ bytes left out\)$/.exec(text) || [""])[0];
    return text.slice(0, text.length - end.length).replace(/"(?:[^"\\]|\\.)*"?|[{[]\s*[}\]]|[{}[\],:]|\s+/g, function (part) {
      switch (part) {
      case "{": case "[": deep++; return part + line();
      case "}": case "]": deep--; return line() + part;
      case ",": return part + line();
      case ":": return ": ";
      }
      return /^\s/.test(part) ? "" : part;
    }) + end;
  }

  // A frame stands in the page once; unfolded it is shown on lines of its own.
  document.addEventListener("toggle", function (event) {
    var frame = event.target;
    if (!frame.open || !frame.closest(".talk") || frame.classList.contains("pretty")) return;
    var text = frame.querySelector("code").textContent;
    var pre = document.createElement("pre");
    var about = document.createElement("p");
    pre.textContent = /^\s*[{[]/.test(text) ? indent(text) : text;
    about.textContent = frame.title;
    frame.append(pre, about);
    frame.classList.add("pretty");
  }, true);

  form.addEventListener("input", filter);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("click", function (event) {
    var fold = event.target.dataset.fold;
    if (fold) checks.forEach(function (check) { if (!check.hidden) check.open = fold === "open"; });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && event.target !== search) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      search.value = "";
      filter();
    }
  });
  document.addEventListener("click", function (event) {
    var link = event.target.closest && event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) go();
  });
  window.addEventListener("hashchange", go);
  filter();
  go();
})();
