// Something to copy.
import React, { useRef, useState } from 'react';

/** Where the clipboard is closed to scripts (plain HTTP), the old way still works. */
async function copy(text: string, beside: HTMLElement): Promise<void> {
  if (window.isSecureContext && 'clipboard' in navigator) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  beside.append(area);
  area.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const copied = document.execCommand('copy');
  area.remove();
  if (!copied) throw new Error('the browser did not let us');
}

/** A command or a file, with a button that copies it. `what` tells the buttons apart. */
export const Copyable = ({ text, what }: { text: string; what: string }) => {
  const box = useRef<HTMLDivElement>(null);
  const [said, say] = useState('');
  return (
    <div className="teleport-copyable" ref={box}>
      <pre>
        <code>{text}</code>
      </pre>
      <button
        type="button"
        className="btn btn-tertiary btn-sm"
        aria-label={`Copy ${what}`}
        onClick={() => {
          if (box.current)
            copy(text, box.current).then(
              () => say('Copied'),
              () => say('It could not be copied: select the text'),
            );
        }}
      >
        Copy
      </button>
      <span role="status" className="teleport-said">
        {said}
      </span>
    </div>
  );
};
