// Moves the focus to what a click brings onto the page.
import { useEffect, useRef } from 'react';

type Find = () => HTMLElement | null | undefined;

/** Focuses what `find` finds as soon as it is there: the host may show it later. */
export function useFocus(): (find: Find) => void {
  const wanted = useRef<Find | undefined>(undefined);
  useEffect(() => {
    const element = wanted.current?.();
    if (!element) return;
    wanted.current = undefined;
    element.focus();
  });
  return (find) => {
    wanted.current = find;
  };
}
