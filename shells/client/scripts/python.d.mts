export declare const repository: string;
export declare const python: string;
