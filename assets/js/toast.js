// Shows a message of the server as a toast, once, also when the page around it changes (components/toast.py).
import { useEffect } from "react";
import { toast } from "sonner";

let shown = 0;
const SHOW = { ok: toast.success, warn: toast.warning, bad: toast.error };

export function FlashToast({ seq, tone, message }) {
  useEffect(() => {
    if (!seq || !message || seq === shown) return;
    shown = seq;
    (SHOW[tone] || toast.info)(message, { duration: tone === "bad" ? 10000 : 6000 });
  }, [seq, tone, message]);
  return null;
}
