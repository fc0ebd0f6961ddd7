// Returns what is wrong with the page for people who do not see it, or see it badly:
// a list of complaints.
(() => {
	const wrong = [];
	const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
	if (!document.documentElement.lang) wrong.push("the page has no language");
	if (document.querySelectorAll("h1").length !== 1) wrong.push("the page has not one heading h1");
	if (!document.title) wrong.push("the page has no title");
	for (const field of document.querySelectorAll("input:not([type=hidden]), textarea, select")) {
		if (!field.labels || field.labels.length === 0 || !field.labels[0].innerText.trim() && shown(field)) wrong.push("no label: " + field.outerHTML.slice(0, 200));
	}
	for (const element of document.querySelectorAll("a, button, summary")) {
		const name = element.getAttribute("aria-label") || element.textContent.trim() || element.querySelector("title")?.textContent;
		if (!name) wrong.push("no name: " + element.outerHTML.slice(0, 200));
	}
	for (const picture of document.querySelectorAll("svg, [role=img]")) {
		if (!picture.getAttribute("aria-label")) wrong.push("no description: " + picture.outerHTML.slice(0, 200));
	}
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	if (new Set(ids).size !== ids.length) wrong.push("an id stands twice");

	// Contrast: of every text with what is behind it, at least 4.5 to 1 (WCAG 2, AA).
	const channels = (colour) => {
		const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
		return { rgb: [r, g, b], a };
	};
	const luminance = (rgb) => {
		const [r, g, b] = rgb.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (element) => {
		for (let e = element; e; e = e.parentElement) {
			const colour = channels(getComputedStyle(e).backgroundColor);
			if (colour.a === 1) return colour.rgb;
		}
		return [255, 255, 255];
	};
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const seen = new Set();
	while (walker.nextNode()) {
		const element = walker.currentNode.parentElement;
		if (!walker.currentNode.data.trim() || seen.has(element) || !shown(element)) continue;
		seen.add(element);
		const style = getComputedStyle(element);
		const colour = channels(element.closest("svg") ? style.fill : style.color).rgb;
		const [light, dark] = [luminance(colour), luminance(behind(element))].sort((a, b) => b - a);
		const ratio = (light + 0.05) / (dark + 0.05);
		if (ratio < 4.5) wrong.push(`contrast ${ratio.toFixed(2)}: ${element.outerHTML.slice(0, 200)}`);
	}
	return wrong.join("\n");
})()
