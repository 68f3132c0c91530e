// The first comment, and what links carry: both differ by network, so both say where they go.
import { useDeferredValue, useMemo } from "react";
import { Link2, X } from "lucide-react";
import { cx, h, Icon, Problem, shortName } from "./composer_parts.js";
import { account, change, countsOfComment, setOption, takesComment } from "./composer_store.js";

export function FirstComment({ studio, isOpen, onClose }) {
  const doc = useDeferredValue(studio.doc);
  const counts = useMemo(() => countsOfComment(doc), [doc, studio.accounts]);
  if (!isOpen && !studio.doc.first_comment) return null;
  const chosen = doc.targets.map(account).filter(Boolean);
  const takers = chosen.filter(takesComment);
  const others = chosen.filter((each) => !takesComment(each));
  const error = studio.errors.first_comment;
  const worst = counts.reduce((found, count) => (!found || count.limit - count.length < found.limit - found.length ? count : found), null);
  return h(
    "div",
    { className: "field first-comment" },
    h(
      "div",
      { className: "row" },
      h("label", { htmlFor: "first-comment" }, "First comment"),
      worst && studio.doc.first_comment && h("span", { className: cx("xs num push", worst.isTooLong ? "over" : "faint") }, `${worst.length} / ${worst.limit}`),
      h("button", { type: "button", className: cx("btn g icon s", !(worst && studio.doc.first_comment) && "push"), "aria-label": "Remove the first comment", onClick: () => (change({ first_comment: "" }), onClose()) }, h(Icon, { of: X, size: 14 }))
    ),
    h("textarea", {
      id: "first-comment", className: "input", rows: 2, value: studio.doc.first_comment, autoFocus: isOpen && !studio.doc.first_comment,
      placeholder: "A link, a source, a question: goes out as a reply as soon as the post is there",
      "aria-invalid": Boolean(error) || Boolean(worst?.isTooLong), "aria-describedby": "first-comment-where",
      onChange: (event) => change({ first_comment: event.target.value }),
    }),
    h(Problem, null, error),
    h(
      "p",
      { className: "xs muted", id: "first-comment-where" },
      takers.length ? `On ${takers.map((each) => shortName(each, chosen)).join(", ")}. ` : chosen.length ? "None of the chosen networks takes one. " : "",
      others.length > 0 && takers.length > 0 && `Left out on ${others.map((each) => shortName(each, chosen)).join(", ")}.`
    )
  );
}

const VALUE = /^[A-Za-z0-9._~-]{0,80}$/;

export function LinkTags({ studio }) {
  const { doc } = studio;
  const chosen = doc.targets.map(account).filter(Boolean);
  const tagging = chosen.filter((each) => each.link_tags);
  const hasLink = /https?:\/\//i.test([doc.text, doc.first_comment, ...doc.thread, ...Object.values(doc.variants)].join(" "));
  if (!tagging.length || !hasLink) return null;
  const isOff = doc.options.link_tags === "off";
  const error = studio.errors["options.campaign"];
  return h(
    "div",
    { className: "link-tags sm" },
    h("label", { className: "check" }, h("input", { type: "checkbox", id: "link-tags", checked: !isOff, onChange: () => setOption("link_tags", isOff ? undefined : "off") }), h(Icon, { of: Link2, size: 14 }), "Tag links"),
    !isOff && h("span", { className: "muted xs" }, `on ${tagging.map((each) => shortName(each, chosen)).join(", ")}`),
    !isOff &&
      h(
        "label",
        { className: "row campaign" },
        h("span", { className: "xs muted" }, "Campaign"),
        h("input", {
          id: "campaign", className: "input", value: doc.options.campaign || "", placeholder: tagging[0].link_tags.campaign || "none", maxLength: 80,
          "aria-invalid": Boolean(error), onChange: (event) => VALUE.test(event.target.value) && setOption("campaign", event.target.value || undefined),
        })
      ),
    h(Problem, null, error)
  );
}
