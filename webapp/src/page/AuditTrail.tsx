// The audit trail of a period, as a file. The plugin writes it, and says who may have it.
import React, { useState } from 'react';

import { route } from '../host';

const FORMATS = [
  ['csv', 'Download CSV'],
  ['jsonl', 'Download JSON lines'],
] as const;

const address = (format: string, from: string, to: string): string => {
  const period = new URLSearchParams(Object.entries({ from, to }).filter(([, day]) => day)).toString();
  return route(`/audit.${format}${period && `?${period}`}`);
};

export const AuditTrail = () => {
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  return (
    <>
      <p id="teleport-audit-help" className="help-text">
        Who tried to decide what, and what came of it. Days are in UTC. Leave a date empty to begin with the first entry, or to end with the last one.
      </p>
      <div className="teleport-held" role="group" aria-label="Period" aria-describedby="teleport-audit-help">
        <label htmlFor="teleport-audit-from">From</label>
        <input id="teleport-audit-from" type="date" className="form-control" value={from} max={to || undefined} onChange={({ target }) => setFrom(target.value)} />
        <label htmlFor="teleport-audit-to">To</label>
        <input id="teleport-audit-to" type="date" className="form-control" value={to} min={from || undefined} onChange={({ target }) => setTo(target.value)} />
      </div>
      <p className="teleport-held">
        {FORMATS.map(([format, name]) => (
          // Another tab, because a refusal is a page of its own, and the form may not be saved yet.
          <a key={format} className="btn btn-tertiary" href={address(format, from, to)} target="_blank" rel="noreferrer">
            {name}
          </a>
        ))}
      </p>
    </>
  );
};
