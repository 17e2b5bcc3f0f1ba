// Small pieces of text.
import React from 'react';

/** Text with `code` in it, as the manifest and the core write it. */
export const Text = ({ children }: { children: string }) => (
  <>{children.split('`').map((part, place) => (place % 2 ? <code key={place}>{part}</code> : part))}</>
);

/** What went wrong, as a person reads it. */
export const reason = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error);
  return message || 'no reason was given';
};
