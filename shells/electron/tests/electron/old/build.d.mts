export const folder: string;
export function buildOld(): Promise<void>;
