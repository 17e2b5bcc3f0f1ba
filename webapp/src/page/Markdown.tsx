// As much Markdown as the core's help has: paragraphs and lists, with `code` and **strong** words in them.
import React from 'react';

import { Text } from './text';

const Line = ({ children }: { children: string }) => (
  <>
    {children.split('**').map((part, place) =>
      place % 2 ? (
        <strong key={place}>
          <Text>{part}</Text>
        </strong>
      ) : (
        <Text key={place}>{part}</Text>
      ),
    )}
  </>
);

export const Markdown = ({ children }: { children: string }) => {
  // Runs of list items, and of other lines.
  const blocks: string[][] = [];
  for (const line of children.split('\n').filter((line) => line.trim() !== '')) {
    const last = blocks.at(-1);
    if (line.startsWith('- ') && last?.[0]?.startsWith('- ')) last.push(line);
    else blocks.push([line]);
  }
  return (
    <>
      {blocks.map((lines, place) =>
        lines[0]?.startsWith('- ') ? (
          <ul key={place}>
            {lines.map((line, place) => (
              <li key={place}>
                <Line>{line.slice(2)}</Line>
              </li>
            ))}
          </ul>
        ) : (
          <p key={place}>
            <Line>{lines.join(' ')}</Line>
          </p>
        ),
      )}
    </>
  );
};
