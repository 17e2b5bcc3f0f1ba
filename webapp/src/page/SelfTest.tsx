// Tries the settings out as they stand in the form.
import React, { useEffect, useRef, useState } from 'react';

import type { Engine } from '../engine/engine';
import type { Check, Outcome } from '../engine/messages';
import type { Values } from '../manifest';
import { Copyable } from './Copy';
import { Text, reason } from './text';

const MARKS: Record<Outcome, [sign: string, word: string]> = {
  ok: ['✓', 'OK'],
  warning: ['!', 'Warning'],
  failed: ['✗', 'Failed'],
  pending: ['◌', 'Not done yet'],
};

/** A check is told when it begins and again when it is over: the later word counts. */
const put = (checks: Check[], check: Check): Check[] => {
  const place = checks.findIndex(({ name, cluster }) => name === check.name && cluster === check.cluster);
  return place < 0 ? [...checks, check] : checks.with(place, check);
};

const summary = (checks: Check[]): string => {
  const count = (outcome: Outcome) => checks.filter((check) => check.outcome === outcome).length;
  const [failed, warnings, pending] = [count('failed'), count('warning'), count('pending')];
  if (checks.length === 0) return 'The plugin made no check.';
  if (failed) return `${failed} of ${checks.length} checks failed.`;
  if (pending) return `${pending} of ${checks.length} checks could not be made.`;
  return warnings ? `It works. ${warnings} of ${checks.length} checks want a look.` : 'Everything works.';
};

export const SelfTest = ({ engine, values }: { engine: Engine; values: Values }) => {
  const [checks, setChecks] = useState<Check[]>([]);
  const [said, say] = useState('');
  const [running, setRunning] = useState(false);
  const abort = useRef<AbortController | undefined>(undefined);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => () => abort.current?.abort(), []);

  const run = async () => {
    const controller = new AbortController();
    abort.current = controller;
    let seen: Check[] = [];
    setChecks(seen);
    setRunning(true);
    say('Testing…');
    try {
      await engine.selfTest(values, (check) => setChecks((seen = put(seen, check))), controller.signal);
      if (!controller.signal.aborted) say(summary(seen));
    } catch (error) {
      if (!controller.signal.aborted) say(`The test could not be made: ${reason(error)}`);
    } finally {
      if (!controller.signal.aborted) setRunning(false);
    }
  };
  const stop = () => {
    abort.current?.abort();
    setRunning(false);
    say('Stopped.');
    // The button that was pressed goes away.
    button.current?.focus();
  };

  return (
    <div className="form-group">
      <div className="col-sm-8 col-sm-offset-4">
        {/* Not `disabled` while it runs: that would take the focus away from whoever pressed it. */}
        <button ref={button} type="button" className="btn btn-primary" aria-disabled={running} onClick={() => running || void run()}>
          Test these settings
        </button>{' '}
        {running && (
          <button type="button" className="btn btn-tertiary" onClick={stop}>
            Stop
          </button>
        )}
        <p role="status" className="help-text">
          {said}
        </p>
        <ol data-testid="self-test" className="teleport-steps" aria-label="Checks" aria-live="polite">
          {checks.map(({ name, outcome, message, command, cluster }) => (
            <li key={`${cluster}/${name}`} data-outcome={outcome}>
              <span className="teleport-mark" aria-hidden="true">
                {MARKS[outcome][0]}
              </span>
              <div>
                <span className="teleport-hidden">{MARKS[outcome][1]}: </span>
                <strong>{cluster ? `${cluster}: ${name}` : name}</strong> <Text>{message}</Text>
                {command && <Copyable text={command} what={`what to do: ${name}`} />}
              </div>
            </li>
          ))}
        </ol>
      </div>
    </div>
  );
};
