// What waits for a system admin's word, and the giving of it.
import React, { useCallback, useEffect, useRef, useState } from 'react';

import type { Engine } from '../engine/engine';
import type { Confirmation } from '../engine/messages';
import { setting } from '../manifest';
import { Markdown } from './Markdown';
import { reason } from './text';

interface Item {
  confirmation: Confirmation;
  /** It is still in the plugin's list. */
  waits: boolean;
  busy?: boolean;
  /** What came of the word that was given here. */
  done?: string;
  failed?: string | undefined;
}

/** What was answered here stays until the page is closed, so that the answer can be read; all else is as it was listed now. */
const merge = (items: Item[], listed: Confirmation[]): Item[] => {
  const known = new Set(items.map(({ confirmation }) => confirmation.id));
  const ids = new Set(listed.map(({ id }) => id));
  const kept = items
    .map((item) => ({ ...item, waits: ids.has(item.confirmation.id) }))
    .filter(({ waits, busy, done, failed }) => waits || busy || done !== undefined || failed !== undefined);
  const added = listed.filter(({ id }) => !known.has(id));
  return [...kept, ...added.map((confirmation) => ({ confirmation, waits: true }))];
};

const Answer = ({ children }: { children: string }) => {
  const box = useRef<HTMLDivElement>(null);
  // The button that was pressed went away.
  useEffect(() => box.current?.focus(), []);
  return (
    <div ref={box} role="status" tabIndex={-1} className="teleport-said">
      <Markdown>{children}</Markdown>
    </div>
  );
};

const Waiting = ({ item: { confirmation, waits, busy = false, done, failed }, id, onConfirm }: { item: Item; id: string; onConfirm: () => void }) => (
  <li data-urgent={confirmation.urgent}>
    <span className="teleport-mark" aria-hidden="true">
      {confirmation.urgent ? '!' : '◌'}
    </span>
    <div>
      {confirmation.urgent && <span className="teleport-hidden">Urgent: </span>}
      <div id={id}>
        {confirmation.setting && <strong>{setting(confirmation.setting).display_name}</strong>}
        <Markdown>{confirmation.message}</Markdown>
      </div>
      {waits && (
        // Not `disabled` while it runs: that would take the focus away from whoever pressed it.
        <button type="button" className="btn btn-primary btn-sm" aria-describedby={id} aria-disabled={busy} onClick={() => busy || onConfirm()}>
          {confirmation.action}
        </button>
      )}
      {done !== undefined && <Answer>{done}</Answer>}
      {failed !== undefined && (
        <div role="alert" className="teleport-problem teleport-wrong">
          <Markdown>{failed}</Markdown>
        </div>
      )}
    </div>
  </li>
);

/** `saved` changes with each save: that may bring something that waits. */
export const Confirmations = ({ engine, saved }: { engine: Engine; saved: string }) => {
  const [items, setItems] = useState<Item[]>([]);
  const [failure, setFailure] = useState('');
  const open = useRef(true);
  // Of two lists, the one that was asked for last counts.
  const asked = useRef(0);
  useEffect(() => {
    open.current = true;
    return () => {
      open.current = false;
    };
  }, []);

  const refresh = useCallback(async () => {
    const mine = ++asked.current;
    const counts = () => open.current && mine === asked.current;
    try {
      const listed = await engine.confirmations();
      if (!counts()) return;
      setFailure('');
      setItems((before) => merge(before, listed));
    } catch (error) {
      if (counts()) setFailure(reason(error));
    }
  }, [engine]);
  useEffect(() => void refresh(), [refresh, saved]);

  const confirm = async (id: string) => {
    const change = (changes: Partial<Item>) => {
      if (open.current) setItems((before) => before.map((item) => (item.confirmation.id === id ? { ...item, ...changes } : item)));
    };
    change({ busy: true, failed: undefined });
    try {
      const done = await engine.confirm(id);
      change({ busy: false, waits: false, done });
    } catch (error) {
      change({ busy: false, failed: reason(error) });
    }
    if (open.current) await refresh();
  };

  if (items.length === 0 && !failure) return null;
  return (
    <section aria-labelledby="teleport-confirmations" data-testid="confirmations">
      <h3 id="teleport-confirmations">Waiting for your confirmation</h3>
      {failure && (
        <p role="alert" className="teleport-problem teleport-wrong">
          What waits for your confirmation could not be loaded: {failure}
        </p>
      )}
      <ul className="teleport-steps">
        {items.map((item, place) => (
          <Waiting key={item.confirmation.id} item={item} id={`teleport-confirmation-${place}`} onConfirm={() => void confirm(item.confirmation.id)} />
        ))}
      </ul>
    </section>
  );
};
