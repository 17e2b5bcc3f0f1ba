// A row of System Console: label to the left, field and help to the right.
import React from 'react';

import type { Problem } from '../engine/messages';
import { Problems } from './Problems';
import { Text } from './text';

interface Props {
  /** Id of the field. */
  id: string;
  name: string;
  label: string;
  help?: string | undefined;
  problems?: Problem[] | undefined;
  /** The field is a group of several: its label is not that of one. */
  group?: boolean;
  children: React.ReactNode;
}

/** What describes a field of a row. */
export const describedBy = (id: string) => `${id}-help ${id}-problems`;

/** Whether a field of a row is to be marked as invalid. */
export const isInvalid = (problems: Problem[] = []) => problems.some(({ severity }) => severity === 'wrong') || undefined;

export const Row = ({ id, name, label, help = '', problems = [], group = false, children }: Props) => (
  <div className="form-group" {...(group ? { role: 'group', 'aria-labelledby': `${id}-label`, 'aria-describedby': describedBy(id) } : {})}>
    {group ? (
      <span id={`${id}-label`} className="control-label col-sm-4">
        {label}
      </span>
    ) : (
      <label className="control-label col-sm-4" htmlFor={id}>
        {label}
      </label>
    )}
    <div className="col-sm-8">
      {children}
      <div id={`${id}-help`} className="help-text">
        <Text>{help}</Text>
      </div>
      <Problems id={`${id}-problems`} name={name} problems={problems} />
    </div>
  </div>
);
