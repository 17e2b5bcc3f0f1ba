// Further clusters: a JSON list in the settings, cards on the page.
import React, { useRef } from 'react';

import type { Engine } from '../engine/engine';
import type { Problem } from '../engine/messages';
import { CREDENTIALS, defaultOf, setting } from '../manifest';
import { CredentialsEditor } from './CredentialsEditor';
import { Field } from './Field';
import { useFocus } from './focus';
import { useLatest } from './form';
import { isMask } from './masks';
import { Problems } from './Problems';
import { Row } from './Row';
import { Text } from './text';
import type { Texts } from './useCredentials';

const KEY = 'MoreClusters';
/** How the connection gets there, with the same fields as for the first cluster. */
const ROUTE = ['ConnectionUpgrade', 'LoadBalancerCA'];
const CLUSTER_KEYS = ['TeleportAddress', ...ROUTE, ...CREDENTIALS, 'Recipients'];

type Cluster = Record<string, unknown>;

/** The clusters of a list; nothing where the text is none that cards can show. */
export function readClusters(text: string): Cluster[] | undefined {
  if (text.trim() === '') return [];
  try {
    const list: unknown = JSON.parse(text);
    const isCluster = (thing: unknown): thing is Cluster => typeof thing === 'object' && thing !== null && !Array.isArray(thing);
    return Array.isArray(list) && list.every(isCluster) ? list : undefined;
  } catch {
    return undefined;
  }
}

/** A list as the setting holds it. */
const writeClusters = (clusters: Cluster[]): string => (clusters.length === 0 ? '' : JSON.stringify(clusters, null, 2));

/** Settings may have lost their capitals. */
const nameIn = (cluster: Cluster, key: string) => Object.keys(cluster).find((name) => name.toLowerCase() === key.toLowerCase()) ?? key;

function textsOf(cluster: Cluster): Texts {
  const texts = CLUSTER_KEYS.map((key) => [key, cluster[nameIn(cluster, key)] ?? ''] as const);
  return Object.fromEntries(texts.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]));
}

/** A cluster with some settings changed; empty ones are left out. */
function changed(cluster: Cluster, changes: Texts): Cluster {
  const next = Object.entries(changes).map(([key, text]) => [nameIn(cluster, key), text] as const);
  return Object.fromEntries(Object.entries({ ...cluster, ...Object.fromEntries(next) }).filter(([, value]) => value !== ''));
}

interface Props {
  engine: Engine | undefined;
  value: string;
  problems: Problem[];
  disabled: boolean;
  onChange: (value: string) => void;
}

export const MoreClusters = ({ engine, value, problems, disabled, onChange }: Props) => {
  const { display_name: label, help_text: help } = setting(KEY);
  const clusters = readClusters(value);
  const latest = useLatest(value);
  const box = useRef<HTMLDivElement>(null);
  const focus = useFocus();
  const find = (selector: string) => () => box.current?.querySelector<HTMLElement>(selector);
  if (isMask(value))
    return (
      <div ref={box}>
        <h4>{label}</h4>
        <p className="help-text">
          <Text>{help}</Text>
        </p>
        <Problems id="teleport-MoreClusters-problems" name={KEY} problems={problems} />
        <p data-testid="clusters-hidden">What is saved here is hidden, as it may hold keys. It stays as it is.</p>
        <button
          type="button"
          className="btn btn-tertiary"
          disabled={disabled}
          onClick={() => {
            onChange('');
            focus(find('.teleport-add'));
          }}
        >
          Enter the list anew
        </button>
      </div>
    );
  if (!clusters)
    return (
      <Field setting={setting(KEY)} value={value} problems={problems} disabled={disabled} onChange={(text) => onChange(String(text))} />
    );

  /** Answers come late: they change what the list is then. */
  const update = (change: (clusters: Cluster[]) => Cluster[]) => {
    const next = writeClusters(change(readClusters(latest.current) ?? []));
    (latest as { current: string }).current = next;
    onChange(next);
  };
  const set = (place: number, changes: Texts) =>
    update((clusters) => clusters.map((cluster, at) => (at === place ? changed(cluster, changes) : cluster)));

  return (
    <div ref={box}>
      <h4>{label}</h4>
      <p className="help-text">
        <Text>{help}</Text>
      </p>
      <Problems id="teleport-MoreClusters-problems" name={KEY} problems={problems} />
      {clusters.map((cluster, place) => {
        const texts = textsOf(cluster);
        const title = `Cluster ${place + 2}`;
        const id = `teleport-cluster-${place}`;
        const field = (key: string, help: string) => (
          <Row id={`${id}-${key}`} name={`${place + 2}-${key}`} label={setting(key).display_name} help={help}>
            <input
              id={`${id}-${key}`}
              type="text"
              className="form-control"
              spellCheck={false}
              autoComplete="off"
              placeholder={setting(key).placeholder}
              disabled={disabled}
              value={texts[key]}
              aria-describedby={`${id}-${key}-help teleport-MoreClusters-problems`}
              onChange={(event) => set(place, { [key]: event.target.value })}
            />
          </Row>
        );
        return (
          <fieldset key={place} className="teleport-card" aria-label={title}>
            <h4>{title}</h4>
            {field('TeleportAddress', setting('TeleportAddress').help_text)}
            {ROUTE.map((key) => (
              <Field
                key={key}
                id={`${id}-${key}`}
                name={`${place + 2}-${key}`}
                setting={setting(key)}
                value={texts[key] || defaultOf(setting(key))}
                problems={[]}
                disabled={disabled}
                onChange={(value) => set(place, { [key]: value === defaultOf(setting(key)) ? '' : String(value) })}
              />
            ))}
            <CredentialsEditor
              id={id}
              cluster={place + 1}
              engine={engine}
              values={texts}
              problems={[]}
              disabled={disabled}
              onChange={(changes) => set(place, changes)}
              onNothingSaved={() => undefined}
            />
            {field('Recipients', 'Where this cluster’s requests are posted. Empty: where all are.')}
            <button
              type="button"
              className="btn btn-tertiary"
              aria-label={`Remove ${title}`}
              disabled={disabled}
              onClick={() => {
                update((clusters) => clusters.filter((_, at) => at !== place));
                focus(find('.teleport-add'));
              }}
            >
              Remove
            </button>
          </fieldset>
        );
      })}
      <button
        type="button"
        className="btn btn-tertiary teleport-add"
        disabled={disabled}
        onClick={() => {
          update((clusters) => [...clusters, {}]);
          focus(find(`#teleport-cluster-${clusters.length}-TeleportAddress`));
        }}
      >
        Add a cluster
      </button>
    </div>
  );
};
