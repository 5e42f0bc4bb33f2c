for (const film of document.querySelectorAll(".film")) {
  const frames = JSON.parse(film.querySelector("script").textContent);
  const [image, slider, button, label] = ["img", "input", "button", "output"].map((name) => film.querySelector(name));
  let timer = null;
  const show = (index) => {
    slider.value = index;
    image.src = frames[index][1];
    image.alt = label.textContent = `step ${frames[index][0]}`;
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "play";
  };
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(slider.value) === frames.length - 1) show(0);
    button.textContent = "stop";
    timer = setInterval(() => {
      show(Number(slider.value) + 1);
      if (Number(slider.value) === frames.length - 1) stop();
    }, 350);
  });
}

const quiz = document.getElementById("quiz");
if (quiz) {
  const cards = [...quiz.querySelectorAll(".cards button")];
  const answer = (card) => card.getAttribute("aria-pressed") === "true" ? "generated" : "real";
  for (const card of cards)
    card.addEventListener("click", () => card.setAttribute("aria-pressed", String(answer(card) === "real")));
  document.getElementById("show").addEventListener("click", (event) => {
    const right = cards.filter((card) => answer(card) === card.dataset.is);
    for (const card of cards) {
      card.classList.add(right.includes(card) ? "right" : "wrong");
      card.removeAttribute("aria-pressed");
      card.disabled = true;
    }
    event.target.disabled = true;
    const chance = cards.length / 2, spread = Math.sqrt(cards.length) / 2;
    document.getElementById("score").textContent =
      `${right.length} of ${cards.length} correct; random guessing gives ${chance} ± ${spread.toFixed(1)}.`;
  });
}
