// How the plugin signs in to one cluster: an identity file, or three files; each pasted, dropped, or as a path on the server.
import React, { useRef, useState } from 'react';

import type { Engine } from '../engine/engine';
import type { Facts, Problem } from '../engine/messages';
import { CREDENTIALS, IDENTITY, THREE_FILES, setting } from '../manifest';
import { useFocus } from './focus';
import { isMask, isSealed } from './masks';
import { Row, describedBy, isInvalid } from './Row';
import { Text } from './text';
import { TextFile } from './TextFile';
import type { Texts } from './useCredentials';
import { useCredentials } from './useCredentials';

interface Props {
  /** Tells fields of several clusters apart. */
  id: string;
  /** Place in the list of clusters; 0 is the page's own. */
  cluster: number;
  engine: Engine | undefined;
  values: Texts;
  problems: Problem[];
  disabled: boolean;
  onChange: (changes: Texts) => void;
  /** The asterisks of this setting stand for nothing. */
  onNothingSaved: (key: string) => void;
}

/** Pasted credentials have dashes or several lines; anything else is a path, and no secret. */
const isPasted = (text: string) => text.includes('-----') || text.trim().includes('\n');

const heldAs = (text = '', known = true): string | undefined => {
  // Mattermost's asterisks may stand for nothing, which only the plugin knows.
  if (isMask(text)) return known ? 'Saved. It is shown to nobody.' : 'It is shown to nobody, nor whether one is saved.';
  if (isSealed(text)) return 'Encrypted.';
  return isPasted(text) ? 'Pasted.' : undefined;
};

export const CredentialsEditor = ({ id, cluster, engine, values, problems, disabled, onChange, onNothingSaved }: Props) => {
  const [chosen, choose] = useState<string[]>();
  const derived = THREE_FILES.some((key) => values[key]) && !values.Identity ? THREE_FILES : IDENTITY;
  const keys = chosen ?? derived;
  const [replacing, setReplacing] = useState<string[]>([]);
  const focus = useFocus();
  const areas = useRef<Record<string, HTMLTextAreaElement | null>>({});

  /** What is not shown any more, but can be replaced. Without an engine only the host checks what is pasted, so it stays in sight. */
  const isHeld = (text: string | undefined) => Boolean(heldAs(text)) && (engine !== undefined || !isPasted(text ?? ''));

  /** What is filled in here replaces the other way of signing in. */
  const change = (changes: Texts) => {
    const others = CREDENTIALS.filter((key) => !keys.includes(key) && values[key]);
    const filled = Object.values(changes).some(Boolean);
    onChange({ ...(filled ? Object.fromEntries(others.map((key) => [key, ''])) : {}), ...changes });
    setReplacing((before) => before.filter((key) => !isHeld(changes[key])));
  };
  const state = useCredentials(engine, cluster, keys, values, change, onNothingSaved);

  const editing = (key: string) => replacing.includes(key) || key in state.drafts || !isHeld(values[key]);
  const take = (key: string, text: string) => {
    if (engine && isPasted(text)) {
      state.paste(key, text);
      return;
    }
    state.forget(key);
    if (text === '' && isHeld(values[key])) return;
    change({ [key]: text });
  };
  const of = (key: string): Problem[] => {
    const own = state.problems.filter((problem) => problem.setting === key);
    // Of what was just pasted the form does not know yet.
    return own.length > 0 || key in state.drafts ? own : problems.filter((problem) => problem.setting === key);
  };
  const elsewhere = state.problems.filter((problem) => !keys.includes(problem.setting));
  const waiting = Object.keys(state.drafts).length > 0 ? keys.filter((key) => !state.drafts[key] && !values[key]) : [];

  return (
    <fieldset disabled={disabled} aria-label="Credentials">
      <div className="form-group" role="radiogroup" aria-labelledby={`${id}-way`}>
        <span id={`${id}-way`} className="control-label col-sm-4">
          Sign in with
        </span>
        <div className="col-sm-8">
          {[IDENTITY, THREE_FILES].map((way) => (
            <label key={way.length} className="radio-inline">
              <input type="radio" name={`${id}-way`} checked={keys === way} onChange={() => choose(way)} />
              {way === IDENTITY ? 'An identity file' : 'Three files'}
            </label>
          ))}
        </div>
      </div>
      {keys.map((key) => {
        const { display_name: label, help_text: help, placeholder } = setting(key);
        const field = `${id}-${key}`;
        const name = cluster === 0 ? key : `${cluster + 1}-${key}`;
        const row = { id: field, name, label, help, problems: of(key) };
        if (!editing(key))
          return (
            <Row key={key} {...row} group>
              <div className="teleport-held">
                <span>{heldAs(values[key], engine !== undefined)}</span>
                <button
                  type="button"
                  className="btn btn-tertiary btn-sm"
                  aria-label={`Replace ${label}`}
                  onClick={() => {
                    setReplacing([...replacing, key]);
                    focus(() => areas.current[key]);
                  }}
                >
                  Replace
                </button>
                <button
                  type="button"
                  className="btn btn-tertiary btn-sm"
                  aria-label={`Remove ${label}`}
                  onClick={() => {
                    onChange({ [key]: '' });
                    focus(() => areas.current[key]);
                  }}
                >
                  Remove
                </button>
              </div>
            </Row>
          );
        return (
          <Row key={key} {...row}>
            <TextFile
              id={field}
              what={label}
              placeholder={placeholder}
              area={(area) => {
                areas.current[key] = area;
              }}
              value={state.drafts[key] ?? (isHeld(values[key]) ? '' : values[key])}
              aria-describedby={describedBy(field)}
              aria-invalid={isInvalid(of(key))}
              onText={(text) => take(key, text)}
            />
            {isHeld(values[key]) && (
              <button
                type="button"
                className="btn btn-tertiary btn-sm"
                onClick={() => {
                  state.forget(key);
                  setReplacing(replacing.filter((other) => other !== key));
                }}
              >
                Keep the old one
              </button>
            )}
          </Row>
        );
      })}
      <div className="form-group">
        <div className="col-sm-8 col-sm-offset-4" aria-live="polite">
          {state.busy && <p className="help-text">Checking the credentials…</p>}
          {waiting.length > 0 && (
            <p className="help-text">Not in the form yet: {waiting.map((key) => setting(key).display_name).join(', ')} must come along.</p>
          )}
          {elsewhere.map(({ message }) => (
            <p key={message} role="alert" className="teleport-problem teleport-wrong">
              <Text>{message}</Text>
            </p>
          ))}
          {state.failure !== undefined && (
            <div role="alert" className="teleport-problem teleport-wrong">
              The credentials could not be checked: {state.failure}{' '}
              {Object.keys(state.drafts).length > 0 && 'What was pasted is not in the form yet.'}{' '}
              <button type="button" className="btn btn-tertiary btn-sm" onClick={state.again}>
                Try again
              </button>
            </div>
          )}
          {state.facts && <CredentialFacts facts={state.facts} />}
        </div>
      </div>
    </fieldset>
  );
};

const CredentialFacts = ({ facts: { user, cluster, validUntil, warning } }: { facts: Facts }) => (
  <div data-testid="credential-facts" className="teleport-facts">
    Teleport user <code>{user}</code> of cluster <code>{cluster}</code>
    {validUntil && `, valid until ${validUntil}`}.{warning && <p className="teleport-problem teleport-warning">{warning}</p>}
  </div>
);
