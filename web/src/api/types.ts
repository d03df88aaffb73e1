/** Short names of the API's types. They are generated from docs/openapi.json: `npm run types`. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Person = Schemas['PublicUser'];
export type Me = Schemas['User'];
export type Skill = Schemas['Skill'];
export type Level = Schemas['Level'];
export type Session = Schemas['Session'];
export type Post = Schemas['ShownPost'];
export type PostVisibility = Schemas['Visibility'];
export type Comment = Schemas['Comment'];
export type ReactionType = Schemas['ReactionType'];
export type ReactionSummary = Schemas['ReactionSummary'];
export type Bookmark = Schemas['ShownBookmark'];
export type Product = Schemas['Product'];
export type Review = Schemas['Review'];
export type Cart = Schemas['ShownCart'];
export type CartLine = Schemas['ShownLine'];
export type Order = Schemas['Order'];
export type OrderStatus = Schemas['OrderStatus'];
export type Checkout = Schemas['Checkout'];
export type Wish = Schemas['ShownWish'];
export type File = Schemas['ShownFile'];
export type FileVisibility = Schemas['Visibility2'];
export type Case = Schemas['ShownCase'];
export type CaseStatus = Schemas['Status2'];
export type TargetType = Schemas['TargetType'];
export type Reason = Schemas['Reason'];
export type Overview = Schemas['Overview'];

/** A page of a list: pass `nextCursor` as `cursor` for the next one. */
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
  total?: number;
}
