// Loaded before Plotly, so that it works under a policy without inline styles.
"use strict";
(() => {
  // style="" written by setAttribute is refused by the policy; the same text through the style object is allowed.
  const plain = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else plain.call(this, name, value);
  };
  // Its map parts add a <style> at load. There are no maps here, and our own sheet has the rules that charts need.
  const append = document.head.appendChild;
  document.head.appendChild = function (node) {
    return node instanceof HTMLStyleElement ? node : append.call(this, node);
  };
  // Whatever the policy still refuses is made visible, for people and for the test that looks for it.
  document.addEventListener("securitypolicyviolation", (event) => {
    document.documentElement.dataset.refused = `${event.violatedDirective} ${event.sourceFile}:${event.lineNumber}`;
  });
})();
