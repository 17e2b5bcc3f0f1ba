// A text that is pasted, dropped as a file, or picked as a file.
import React, { useRef, useState } from 'react';

/** Most that is read of a file: configuration files and credentials have a few kilobytes. */
const MOST_BYTES = 1_000_000;

interface Props extends React.TextareaHTMLAttributes<HTMLTextAreaElement> {
  /** What the file is, for the button's name. */
  what: string;
  onText: (text: string) => void;
  area?: React.Ref<HTMLTextAreaElement>;
}

export const TextFile = ({ what, onText, area, disabled, ...rest }: Props) => {
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState('');
  const take = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > MOST_BYTES) {
      setProblem(`${file.name} is too large to be such a file.`);
      return;
    }
    try {
      const text = await file.text();
      setProblem('');
      onText(text);
    } catch {
      setProblem(`${file.name} could not be read.`);
    }
  };
  return (
    // The button does for the keyboard what dropping does for the mouse.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className={over ? 'teleport-drop teleport-over' : 'teleport-drop'}
      onDragOver={(event) => {
        if (disabled || !event.dataTransfer.types.includes('Files')) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        setOver(false);
        if (disabled || !event.dataTransfer.types.includes('Files')) return;
        event.preventDefault();
        void take(event.dataTransfer.files[0]);
      }}
    >
      <textarea
        rows={4}
        spellCheck={false}
        autoComplete="off"
        {...rest}
        ref={area}
        className="form-control"
        disabled={disabled}
        onChange={(event) => {
          setProblem('');
          onText(event.target.value);
        }}
      />
      <input
        ref={picker}
        type="file"
        hidden
        aria-label={`File: ${what}`}
        disabled={disabled}
        onChange={(event) => {
          void take(event.target.files?.[0]);
          // So that the same file can be picked again.
          event.target.value = '';
        }}
      />
      <button type="button" className="btn btn-tertiary btn-sm" aria-label={`Choose a file: ${what}`} disabled={disabled} onClick={() => picker.current?.click()}>
        Choose a file
      </button>{' '}
      <span className="teleport-said">or drop it here</span>
      {problem && (
        <p role="alert" className="teleport-problem teleport-wrong">
          {problem}
        </p>
      )}
    </div>
  );
};
