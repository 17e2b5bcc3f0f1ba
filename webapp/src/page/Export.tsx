// The settings as a file, without secrets.
import React, { useEffect, useState } from 'react';

import type { Engine } from '../engine/engine';
import type { Values } from '../manifest';
import { Copyable } from './Copy';
import { reason } from './text';

const FILE = 'teleport-access-requests.toml';

export const Export = ({ engine, values }: { engine: Engine; values: Values }) => {
  const [file, setFile] = useState('');
  const [failure, setFailure] = useState('');
  const asked = JSON.stringify(values);
  useEffect(() => {
    let open = true;
    engine.exportToml(JSON.parse(asked) as Values).then(
      (file) => open && setFile(file),
      (error: unknown) => open && setFailure(reason(error)),
    );
    return () => {
      open = false;
    };
  }, [engine, asked]);
  const download = () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([file], { type: 'application/toml' }));
    link.download = FILE;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <>
      <p className="help-text">The settings as they stand in the form, without secrets.</p>
      {failure && <p role="alert" className="teleport-problem teleport-wrong">They could not be written: {failure}</p>}
      {file && (
        <>
          <Copyable text={file} what="the settings" />
          <button type="button" className="btn btn-tertiary" onClick={download}>
            Download
          </button>
        </>
      )}
    </>
  );
};
