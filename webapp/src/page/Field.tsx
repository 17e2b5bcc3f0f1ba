// A setting's field, by its type in the manifest.
import React from 'react';

import type { Problem } from '../engine/messages';
import type { Setting, Value } from '../manifest';
import { Generated } from './Generated';
import { Row, describedBy, isInvalid } from './Row';

export interface FieldProps {
  /** Id and name of the field; those of the setting where there is one of it only. */
  id?: string;
  name?: string;
  setting: Setting;
  value: Value;
  problems: Problem[];
  disabled: boolean;
  onChange: (value: Value) => void;
}

/** Numbers as numbers; what is no number stays as it was typed, and the core says so. */
const asNumber = (text: string): Value => (/^\d{1,15}$/.test(text) ? Number(text) : text);

export const Field = (props: FieldProps) => {
  const { setting, value, problems, disabled, onChange } = props;
  const { id = `teleport-${setting.key}`, name = setting.key } = props;
  const common = {
    id,
    className: 'form-control',
    placeholder: setting.placeholder,
    disabled,
    'aria-describedby': describedBy(id),
    'aria-invalid': isInvalid(problems),
  };
  const row = { id, name, label: setting.display_name, help: setting.help_text, problems };
  switch (setting.type) {
    case 'bool':
      return (
        <Row {...row} group>
          {[true, false].map((choice) => (
            <label key={String(choice)} className="radio-inline">
              <input
                type="radio"
                name={id}
                checked={value === choice || value === String(choice)}
                disabled={disabled}
                onChange={() => onChange(choice)}
              />
              {String(choice)}
            </label>
          ))}
        </Row>
      );
    case 'dropdown':
      return (
        <Row {...row}>
          <select {...common} value={String(value)} onChange={(event) => onChange(event.target.value)}>
            {!setting.options?.some((option) => option.value === value) && <option value={String(value)}>{String(value)}</option>}
            {setting.options?.map((option) => (
              <option key={option.value} value={option.value}>
                {option.display_name}
              </option>
            ))}
          </select>
        </Row>
      );
    case 'longtext':
      return (
        <Row {...row}>
          <textarea {...common} rows={4} spellCheck={false} value={String(value)} onChange={(event) => onChange(event.target.value)} />
        </Row>
      );
    case 'number':
      return (
        <Row {...row}>
          <input {...common} type="text" inputMode="numeric" value={String(value)} onChange={(event) => onChange(asNumber(event.target.value))} />
        </Row>
      );
    case 'generated':
      return <Generated {...props} />;
    default:
      return (
        <Row {...row}>
          <input {...common} type="text" spellCheck={false} autoComplete="off" value={String(value)} onChange={(event) => onChange(event.target.value)} />
        </Row>
      );
  }
};
