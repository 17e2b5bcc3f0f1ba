// What is wrong with a setting, at its field.
import React from 'react';

import type { Problem } from '../engine/messages';
import { Text } from './text';

interface Props {
  id: string;
  /** Key of the setting, for tests. */
  name: string;
  problems: Problem[];
}

const WORDS = { wrong: 'Error: ', missing: '', warning: 'Warning: ' };

/** The place is always there, so that screen readers hear what comes into it. */
export const Problems = ({ id, name, problems }: Props) => (
  <div id={id} aria-live="polite">
    {problems.length > 0 && (
      <div data-testid={`problem-${name}`}>
        {problems.map(({ message, severity }) => (
          <p key={message} className={`teleport-problem teleport-${severity}`} role={severity === 'wrong' ? 'alert' : undefined}>
            <span className="teleport-hidden">{WORDS[severity]}</span>
            <Text>{message}</Text>
          </p>
        ))}
      </div>
    )}
  </div>
);
