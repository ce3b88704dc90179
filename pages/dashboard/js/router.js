// Addresses: #/ · #/alerts?state=all · #/patients?level=high · #/patients/{id} · #/performance?… · #/trends?…

const names = ['overview', 'alerts', 'patients', 'performance', 'trends'];

/** Every other address is the overview's. */
export function currentRoute() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/');
  const parameters = Object.fromEntries(new URLSearchParams(query));
  if (name === 'patients' && rest.join('')) return { name: 'patient', parameters: { id: decoded(rest.join('/')) } };
  return { name: names.includes(name) ? name : 'overview', parameters };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const toPatients = (level) => (level && level !== 'all' ? `#/patients?level=${level}` : '#/patients');
export const toPatient = (id) => `#/patients/${encodeURIComponent(id)}`;
