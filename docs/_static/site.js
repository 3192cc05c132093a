"use strict";
// What a page needs beyond its theme: boxes that scroll are reached by keyboard, and the search page has a field.

/** Boxes whose content is wider than they are take the focus, so that arrow keys move them. */
function reach() {
  for (const box of document.querySelectorAll("pre, .figure-frame")) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

addEventListener("load", reach);
addEventListener("resize", reach);

addEventListener("DOMContentLoaded", () => {
  const results = document.getElementById("search-results");
  if (!results || new URLSearchParams(location.search).get("q")) return;
  results.innerHTML = '<h1>Search</h1><form role="search"><label>Words to look for <input type="search" name="q" required></label> <button>Search</button></form>';
});
