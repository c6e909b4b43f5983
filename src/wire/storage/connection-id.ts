/** S8: any string without '/', control characters, '.' and '..'; at most 255 characters. */
export const CONNECTION_ID = /^(?!\.{1,2}$)[^/\p{Cc}]{1,255}$/u
