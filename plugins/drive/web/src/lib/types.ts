export interface FileItem {
  id: string;
  filename: string;
  path: string;
  folder_id: string | null;
  size: number;
  mime_type: string;
  etag: string;
  version: number;
  visibility: "private" | "public";
  owner_id: string | null;
  description: string | null;
  tags: string[];
  created_at: string;
  updated_at: string;
  deleted_at?: string;
  role?: Role;
  shared_by?: string;
  highlights?: { filename?: string; content?: string; tags?: string };
}

export interface FolderItem {
  id: string;
  name: string;
  path: string;
  parent_id: string | null;
  owner_id: string | null;
  created_at: string;
  updated_at: string;
  deleted_at?: string;
  role?: Role;
  shared_by?: string;
}

export type Role = "viewer" | "editor" | "admin";

/** A row of a list. */
export type Entry = { kind: "file"; id: string; name: string; file: FileItem } | { kind: "folder"; id: string; name: string; folder: FolderItem };

export const fileEntry = (file: FileItem): Entry => ({ kind: "file", id: file.id, name: file.filename, file });
export const folderEntry = (folder: FolderItem): Entry => ({ kind: "folder", id: folder.id, name: folder.name, folder });

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Me {
  id: string;
  email: string;
  email_verified: boolean;
  handle: string | null;
  name: string | null;
  bio: string | null;
  avatar: string | null;
  totp_enabled: boolean;
}

export interface Quota {
  limit_bytes: number | null;
  used_bytes: number;
  available_bytes: number | null;
}

export interface Version {
  version: number;
  current: boolean;
  size: number;
  created_at: string;
}

export interface ShareLink {
  id: string;
  token?: string;
  url?: string;
  permission: "read" | "upload";
  has_password: boolean;
  expires_at: string | null;
  max_downloads: number | null;
  downloads: number;
  created_at: string;
}

export interface Permission {
  id: string;
  user_id: string;
  handle: string | null;
  name: string | null;
  role: Role;
}

export interface Tag {
  id: string;
  name: string;
  count?: number;
}

export interface Notice {
  id: string;
  kind: string;
  title: string;
  subject: { type: string; id: string } | null;
  created_at: string;
  read_at: string | null;
}

export interface Transaction {
  id: string;
  kind: string;
  status: string;
  amount: number | null;
  phone_number: string | null;
  account_reference: string | null;
  receipt_number: string | null;
  result_desc: string | null;
  created_at: string;
  updated_at: string;
}

export interface Settings {
  name: string;
  language: "en" | "sw";
  payments: boolean;
  pay_reference: string;
}
