// What a page does more with script: copying, folding, keys, and a log that follows.
// Everything that is read works without it.
"use strict";

const say = (text) => {
	const status = document.getElementById("status");
	status.textContent = text;
	clearTimeout(say.timer);
	say.timer = setTimeout(() => { status.textContent = ""; }, 3000);
};

// copy puts what an address has, a state or a part of it, on the clipboard.
const copy = async (address) => {
	try {
		const answer = await fetch(address);
		if (!answer.ok) throw new Error(answer.statusText);
		await navigator.clipboard.writeText(await answer.text());
		say("Copied");
	} catch (err) {
		say("Not copied: " + err.message);
	}
};

for (const button of document.querySelectorAll("[data-copy]")) {
	button.hidden = false;
	button.addEventListener("click", () => copy(button.dataset.copy));
}

for (const button of document.querySelectorAll("[data-fold]")) {
	button.hidden = false;
	button.addEventListener("click", () => {
		for (const details of document.querySelectorAll(".tree ul details")) {
			details.open = button.dataset.fold === "open";
		}
	});
}

// One button goes to the value that the pointer or the focus is on, and copies it.
const tree = document.querySelector(".tree");
if (tree) {
	const button = document.createElement("button");
	button.type = "button";
	button.textContent = "Copy value";
	button.addEventListener("click", (event) => {
		event.preventDefault();
		const path = [];
		for (let item = button.closest("li"); item && item.parentElement !== tree; item = item.parentElement.closest("li")) {
			path.unshift(item.dataset.i);
		}
		if (tree.dataset.at) path.unshift(tree.dataset.at);
		const address = new URL(tree.dataset.raw, location.href);
		address.searchParams.set("at", path.join("."));
		copy(address);
	});
	const offer = (event) => {
		const item = event.target.closest("li[data-i]");
		if (!item || item.contains(button) && button.closest("li") === item) return;
		const summary = item.querySelector(":scope > details > summary");
		(summary || item).append(" ", button);
	};
	tree.addEventListener("mouseover", offer);
	tree.addEventListener("focusin", offer);
}

// Keys: / goes to the search, n and p to the next page or version and the one before.
document.addEventListener("keydown", (event) => {
	if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea")) return;
	const go = { n: "a[rel=next]", p: "a[rel=prev]" }[event.key];
	if (event.key === "/") {
		const field = document.querySelector("[role=search] input:not([type=hidden])");
		if (field) {
			event.preventDefault();
			field.focus();
		}
	} else if (go) {
		document.querySelector(go)?.click();
	}
});

// A log that follows asks for what comes after its last event, once a second.
const follow = document.getElementById("follow");
if (follow) {
	const log = document.getElementById("log");
	const list = log.querySelector("ol");
	follow.parentElement.hidden = false;
	let timer;
	const look = async () => {
		clearTimeout(timer);
		if (!follow.checked) return;
		try {
			const address = new URL(log.dataset.tail, location.href);
			address.searchParams.set("after", list.dataset.after);
			address.searchParams.set("life", list.dataset.life);
			const answer = await fetch(address);
			const page = new DOMParser().parseFromString(await answer.text(), "text/html");
			const next = page.querySelector("ol.events");
			if (!next) throw new Error(page.querySelector("[role=alert]")?.textContent || answer.statusText);
			Object.assign(list.dataset, next.dataset);
			if (next.children.length > 0) {
				list.append(...next.children);
				follow.scrollIntoView({ block: "end" });
			}
		} catch (err) {
			say("Not followed: " + err.message);
		}
		timer = setTimeout(look, 1000);
	};
	follow.addEventListener("change", look);
}
