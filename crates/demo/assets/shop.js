// Logging in and out without leaving the page, and telling the chat about it.
// Without this script the same forms work with a reload.

const chatToken = () =>
  fetch("/chat-token").then((r) => (r.status === 204 ? null : r.ok ? r.text() : Promise.reject(r.status)));

const otherTabs = new BroadcastChannel("alder-account");

function post(path, fields = new URLSearchParams()) {
  return fetch(path, { method: "POST", body: fields, headers: { accept: "application/json" } });
}

/** Shows this page as the server would show it now: somebody else may be logged in. */
async function refresh() {
  const answer = await fetch(location.href, { cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["#account", "#content"]) {
    document.querySelector(part).replaceWith(page.querySelector(part));
  }
  document.title = page.title;
  if (answer.redirected) history.replaceState(null, "", answer.url);
}

async function logIn(form) {
  const error = form.querySelector(".error");
  const answer = await post("/login", new URLSearchParams(new FormData(form)));
  error.hidden = answer.ok;
  if (!answer.ok) {
    error.textContent = answer.status === 401 ? (await answer.json()).error : "That did not work. Please try again.";
    return;
  }
  form.closest("dialog").close();
  form.reset();
  await refresh();
  document.querySelector("#account button")?.focus();
  window.maitred("identify", { getToken: chatToken });
  otherTabs.postMessage("login");
}

async function logOut() {
  // The shop's session goes first: from here on the chat can get no token of the old one.
  const answer = await post("/logout");
  if (!answer.ok) throw new Error(`/logout answered ${answer.status}`);
  // The page waits until nothing of the customer is left in the chat, but not for one that hangs.
  await Promise.race([window.maitred("logout"), new Promise((done) => setTimeout(done, 5000))]);
  await refresh();
  document.querySelector("#account a")?.focus();
  otherTabs.postMessage("logout");
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const act = form.matches("[data-login-form]") ? logIn : form.matches("[data-logout]") ? logOut : null;
  if (!act) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  act(form)
    // Offline, or the server is restarting: the plain form says so better than we could.
    .catch(() => form.submit())
    .finally(() => (button.disabled = false));
});

document.addEventListener("click", (event) => {
  const login = event.target.closest("[data-login]");
  // On a page that is a login form already, the link leads there.
  if (login && !document.querySelector("main .login")) {
    event.preventDefault();
    document.querySelector("#login").showModal();
  }
  if (event.target.closest("[data-chat]") && document.querySelector("script[data-agent]")) {
    event.preventDefault();
    window.maitred("open");
  }
  const account = event.target.closest("[data-email]");
  if (account) {
    const form = account.closest(".accounts").previousElementSibling;
    form.elements.email.value = account.dataset.email;
    form.elements.password.value = account.dataset.password;
    form.querySelector("button").focus();
  }
});

otherTabs.addEventListener("message", async ({ data }) => {
  await refresh();
  // A logout reaches the chats of all tabs by itself; a login each page tells its own.
  if (data === "login") window.maitred("identify", { getToken: chatToken });
});

// A page that "Back" took out of the browser's memory may show who was logged in then.
addEventListener("pageshow", (event) => {
  if (event.persisted) refresh();
});
