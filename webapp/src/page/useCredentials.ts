// What is pasted as a credential goes to the plugin at once, and only its sealed form into the page's form.
import { useEffect, useState } from 'react';

import type { Engine } from '../engine/engine';
import type { Facts, Problem } from '../engine/messages';
import { useLatest } from './form';
import { isMask } from './masks';
import { reason } from './text';

export type Texts = Record<string, string>;

export interface Credentials {
  /** What was pasted and is not sealed yet. */
  drafts: Texts;
  facts?: Facts | undefined;
  problems: Problem[];
  /** Why they could not be checked. */
  failure?: string | undefined;
  busy: boolean;
  paste: (key: string, text: string) => void;
  forget: (key: string) => void;
  again: () => void;
}

interface Answer {
  asked: string;
  facts?: Facts;
  problems: Problem[];
  failure?: string;
}

/** How long nothing may be typed before the plugin is asked. */
const PAUSE_MS = 400;

export function useCredentials(
  engine: Engine | undefined,
  cluster: number,
  keys: string[],
  values: Texts,
  onChange: (changes: Texts) => void,
  onNothingSaved: (key: string) => void,
): Credentials {
  const [drafts, setDrafts] = useState<Texts>({});
  const [answer, setAnswer] = useState<Answer>();
  const wanted = Object.fromEntries(keys.map((key) => [key, drafts[key] ?? values[key] ?? '']));
  const complete = keys.every((key) => wanted[key]?.trim());
  const asked = JSON.stringify(wanted);
  const known = answer?.asked === asked;
  const latest = useLatest({ onChange, onNothingSaved });

  useEffect(() => {
    if (!engine || !complete || known) return undefined;
    let open = true;
    const sent = JSON.parse(asked) as Texts;
    const ask = async () => {
      const facts = await engine.checkCredentials(sent, cluster);
      if (!open) return;
      if (facts.problems.length > 0) {
        setAnswer({ asked, problems: facts.problems });
        await tellNothingSaved(engine, sent, facts.problems, latest.current.onNothingSaved);
        return;
      }
      const sealed = Object.fromEntries(Object.entries(sent).map(([key, text]) => [key, facts.sealed[key] ?? text]));
      const changes = Object.entries(sealed).filter(([key, text]) => text !== sent[key] || key in drafts);
      setAnswer({ asked: JSON.stringify(sealed), facts, problems: [] });
      setDrafts({});
      if (changes.length > 0) latest.current.onChange(Object.fromEntries(changes));
    };
    const timer = setTimeout(() => {
      ask().catch((error: unknown) => {
        if (!open) return;
          setAnswer({ asked, problems: [], failure: reason(error) });
      });
    }, PAUSE_MS);
    return () => {
      open = false;
      clearTimeout(timer);
    };
    // `drafts` is part of `asked`.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [engine, cluster, asked, complete, known]);

  return {
    drafts,
    facts: known || complete ? answer?.facts : undefined,
    problems: known ? answer.problems : [],
    failure: known ? answer.failure : undefined,
    busy: Boolean(engine) && complete && !known,
    paste: (key, text) => setDrafts((before) => ({ ...before, [key]: text })),
    forget: (key) => setDrafts((before) => Object.fromEntries(Object.entries(before).filter(([other]) => other !== key))),
    again: () => setAnswer(undefined),
  };
}

/** Asterisks may stand for a secret that was saved empty. The plugin then says what it says where there is none. */
async function tellNothingSaved(engine: Engine, sent: Texts, problems: Problem[], tell: (key: string) => void) {
  const masked = problems.filter(({ setting }) => isMask(sent[setting]));
  if (masked.length === 0) return;
  const missing = await engine.check({});
  for (const { setting, message } of masked)
    if (missing.some((problem) => problem.setting === setting && problem.message === message)) tell(setting);
}
