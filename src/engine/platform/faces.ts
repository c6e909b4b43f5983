/**
 * Whose manners a route has: our own, or those of OpenStack's load balancing. Credentials of one are nothing on the other, and
 * errors are told as its clients read them.
 */
export type Face = 'native' | 'octavia'
