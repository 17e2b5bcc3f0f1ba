// What to run on the Teleport side, for the server that is there and the authority that is chosen in the form.
import React, { useEffect, useState } from 'react';

import type { Engine } from '../engine/engine';
import type { Status, Step } from '../engine/messages';
import type { Values } from '../manifest';
import { Copyable } from './Copy';
import { Markdown } from './Markdown';
import { reason } from './text';

interface Props {
  engine: Engine;
  values: Values;
  status: Status | undefined;
}

export const SetupHelp = ({ engine, values, status }: Props) => {
  const [steps, setSteps] = useState<Step[]>([]);
  const [failure, setFailure] = useState('');
  const teleportVersion = status?.teleportVersion ?? '';
  const authority = String(values.Authority);
  const userTrait = values.UserTrait !== '';
  const teleportAddress = String(values.TeleportAddress);
  useEffect(() => {
    let open = true;
    engine.guide({ teleportVersion, authority, userTrait, teleportAddress }).then(
      (steps) => open && setSteps(steps),
      (error: unknown) => open && setFailure(reason(error)),
    );
    return () => {
      open = false;
    };
  }, [engine, teleportVersion, authority, userTrait, teleportAddress]);
  return (
    <>
      <p className="help-text">
        {teleportVersion ? `For Teleport ${teleportVersion}` : 'For any Teleport: which version yours has is not known yet'}, and who checks decisions as
        chosen below.
      </p>
      {failure && <p role="alert" className="teleport-problem teleport-wrong">There is no help to be had: {failure}</p>}
      <ol data-testid="setup-help">
        {steps.map(({ title, text, command }) => (
          <li key={title}>
            <h4>{title}</h4>
            <Markdown>{text}</Markdown>
            {command && <Copyable text={command} what={title} />}
          </li>
        ))}
      </ol>
    </>
  );
};
