// What the page knows from its engine.
import { useEffect, useState } from 'react';

import type { Engine, StartEngine } from '../engine/engine';
import type { Problem, Status } from '../engine/messages';
import type { Values } from '../manifest';
import { withStandIns } from './masks';

/** The engine while it starts, when it runs, or why it does not. */
export interface EngineState {
  engine?: Engine;
  failure?: string;
}

/** Starts an engine for as long as the page is open. */
export function useEngine(start: StartEngine): EngineState {
  const [state, setState] = useState<EngineState>({});
  useEffect(() => {
    let open = true;
    let engine: Engine | undefined;
    // Making a worker throws where policy forbids it.
    Promise.resolve()
      .then(start)
      .then(
        (started) => {
          engine = started;
          if (open) setState({ engine });
          else engine.stop();
        },
        (error: unknown) => open && setState({ failure: error instanceof Error ? error.message : String(error) }),
      );
    return () => {
      open = false;
      engine?.stop();
    };
  }, [start]);
  return state;
}

/** What the core says about the settings, a moment after they were changed. */
export function useProblems(engine: Engine | undefined, values: Values): Problem[] {
  const [problems, setProblems] = useState<Problem[]>([]);
  const asked = JSON.stringify(withStandIns(values));
  useEffect(() => {
    if (!engine) return undefined;
    let wanted = true;
    const timer = setTimeout(() => {
      engine
        .check(JSON.parse(asked) as Values)
        .then((problems) => wanted && setProblems(problems))
        // Saving checks everything again.
        .catch(() => undefined);
    }, 200);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [engine, asked]);
  return problems;
}

/** The plugin's state; nothing while it is not known. */
export function useStatus(engine: Engine | undefined): Status | undefined {
  const [status, setStatus] = useState<Status>();
  useEffect(() => {
    let open = true;
    engine?.status().then(
      (status) => open && setStatus(status),
      () => undefined,
    );
    return () => {
      open = false;
    };
  }, [engine]);
  return status;
}
