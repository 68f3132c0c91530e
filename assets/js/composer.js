// The composer of the Studio (components/composer.py): its parts share the store, the page decides where each one goes.
import { useEffect } from "react";
import { h } from "./composer_parts.js";
import { limits } from "./upload.js";
import { setWords } from "./composer_complete.js";
import { connectLibrary, Library } from "./composer_library.js";
import { acknowledge, connect, flush, receive, set, updateAccounts } from "./composer_store.js";

export { AssistantBridge } from "./composer_assistant.js";
export { ComposerChannels } from "./composer_channels.js";
export { ComposerEditor } from "./composer_editor.js";
export { ComposerNotices } from "./composer_saved.js";
export { ComposerPreview } from "./composer_preview.js";
export { ComposerSchedule } from "./composer_schedule.js";

// Joins the store to the State of this tab: what the server says comes in as props, what changed goes out as events.
export function ComposerBridge({ document: next, accounts, ack, zones, maxUploadBytes, maxVideoBytes, onSync, onSubmit }) {
  useEffect(() => {
    limits.maxBytes = maxUploadBytes || limits.maxBytes;
    limits.maxVideoBytes = maxVideoBytes || limits.maxVideoBytes;
    set({ zones });
  }, [zones, maxUploadBytes, maxVideoBytes]);
  useEffect(() => connect(onSync, onSubmit));
  useEffect(() => acknowledge(ack), [ack]);
  useEffect(() => receive(next), [next]);
  useEffect(() => updateAccounts(accounts), [accounts]);
  useEffect(() => {
    const onHide = () => document.visibilityState === "hidden" && flush();
    document.addEventListener("visibilitychange", onHide);
    return () => {
      document.removeEventListener("visibilitychange", onHide);
      flush();
    };
  }, []);
  return null;
}

// Saved texts, words to complete to and tags of links: loaded once the page stands, none of it is needed for a letter.
export function ComposerLibrary({ snippets, words, snippetAnswer, tagsAnswer, onLoad, onSave, onDelete, onTags }) {
  useEffect(() => void connectLibrary({ onSave, onDelete, onTags }));
  useEffect(() => set({ snippets, snippetAnswer, tagsAnswer }), [snippets, snippetAnswer, tagsAnswer]);
  useEffect(() => {
    setWords(words);
    set({ hasWords: Boolean(words?.hashtags) });
  }, [words]);
  useEffect(() => void onLoad(), []);
  return h(Library);
}
