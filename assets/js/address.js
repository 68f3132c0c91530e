// Keeps the filter of a list in the address, without asking the router: it would load the page anew, and take the focus.
import { useEffect, useRef } from "react";

export function Address({ query }) {
  const isFirst = useRef(true);
  useEffect(() => {
    // What is there on arrival comes from the address itself.
    if (isFirst.current) isFirst.current = false;
    else history.replaceState(history.state, "", location.pathname + (query ? `?${query}` : ""));
  }, [query]);
  return null;
}
