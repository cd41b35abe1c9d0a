export const folder: string;
export function buildOld(into?: string): Promise<void>;
