export interface Person { name: string }
export const greet = (p: Person): string => `hello ${p?.name ?? "nobody"}`;
export const unused = () => 1;
