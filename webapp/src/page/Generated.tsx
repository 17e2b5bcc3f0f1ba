// A key that is made here, and shown to nobody.
import React, { useState } from 'react';

import type { FieldProps } from './Field';
import { Row } from './Row';
import { Text } from './text';

/** 32 letters and digits, as System Console itself generates keys. */
function generate(): string {
  const letters = 'abcdefghijkmnopqrstuvwxyz0123456';
  return Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => letters.charAt(byte % letters.length)).join('');
}

export const Generated = ({ setting, problems, disabled, onChange }: FieldProps) => {
  const [done, setDone] = useState(false);
  const id = `teleport-${setting.key}`;
  return (
    <Row id={id} name={setting.key} label={setting.display_name} help={setting.help_text} problems={problems} group>
      <button
        type="button"
        className="btn btn-tertiary"
        disabled={disabled}
        onClick={() => {
          onChange(generate());
          setDone(true);
        }}
      >
        Regenerate
      </button>
      <div className="help-text" aria-live="polite">
        {done ? 'Another key was generated. It counts once you save.' : <Text>{setting.regenerate_help_text ?? ''}</Text>}
      </div>
    </Row>
  );
};
