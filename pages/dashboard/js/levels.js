// The five risk levels. css/base.css has the guide's colours under the same names.

import { figures } from './figures.js';

export const levels = ['critical', 'high', 'medium', 'low', 'engaged'];

const { low_risk_days: low, medium_risk_days: medium, high_risk_days: high, critical_risk_days: critical } = figures;

export const levelText = {
  critical: {
    name: 'Critical', since: `${critical} days or more without contact`, action: 'Immediate contact required',
  },
  high: { name: 'High', since: `${high}–${critical - 1} days without contact`, action: 'Contact within 24 hours' },
  medium: { name: 'Medium', since: `${medium}–${high - 1} days without contact`, action: 'Plan a follow-up this week' },
  low: { name: 'Low', since: `${low}–${medium - 1} days without contact`, action: 'Keep an eye on them' },
  engaged: { name: 'Engaged', since: 'Contact within the last week', action: 'Continue the care plan' },
};

export const channels = ['sms', 'email', 'phone'];
export const channelText = { sms: 'SMS', email: 'Email', phone: 'Phone' };

export const outcomes = ['success', 'no_response', 'failed'];
export const outcomeText = { success: 'Reached', no_response: 'No response', failed: 'Failed' };

export const noCounts = Object.freeze({ critical: 0, high: 0, medium: 0, low: 0, engaged: 0 });
