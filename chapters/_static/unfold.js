// The theme lets keys reach what scrolls, but measures it once, while solutions are folded.
document.addEventListener("click", (event) => {
  if (event.target.closest(".toggle, .toggle-button, summary")) {
    window.dispatchEvent(new Event("resize"));
  }
});
